"""Who can receive: devices, the FCM projects they belong to, and audiences chosen from them."""
