"""`manage.py channels …`: what each of its actions does; every one calls the API's services."""
