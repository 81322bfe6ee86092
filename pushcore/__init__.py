"""The sending engine: plain Python that knows FCM and knows neither Django nor Celery."""
