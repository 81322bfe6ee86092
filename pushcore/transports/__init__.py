"""Ways to put rendered messages in front of FCM; see `base` for what each promises."""
