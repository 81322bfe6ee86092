from tests.fixtures.redis import own_redis, redis_client, redis_url, unique_key

__all__ = ["own_redis", "redis_client", "redis_url", "unique_key"]
