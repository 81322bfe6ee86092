from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from scripts.embedded import Servers, ServersError, running_servers
from scripts.embedded.folders import CHECKOUT
from scripts.embedded.postgres import PostgresServer
from scripts.embedded.valkey import ValkeyServer

OWNER = """
import sys, time
from pathlib import Path
from scripts.embedded import running_servers
with running_servers("own-process", environ={}, data_root=Path(sys.argv[1])) as servers:
    print(servers.database_url, servers.redis_url, servers.postgres is not None, flush=True)
    time.sleep(600)
"""


def query(url: str, sql: str) -> object:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
        assert row is not None
        return row[0]


def execute(url: str, sql: str) -> None:
    with (
        contextlib.closing(psycopg2.connect(url)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)


@contextlib.contextmanager
def redis_client(servers: Servers) -> Iterator[redis.Redis]:
    with contextlib.closing(redis.Redis.from_url(servers.redis_url)) as client:
        yield client


def parts(servers: Servers) -> tuple[PostgresServer, ValkeyServer]:
    assert servers.postgres is not None
    assert servers.redis is not None
    return servers.postgres, servers.redis


@contextlib.contextmanager
def owner_process(data_root: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data_root)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield process, process.stdout.readline().split()
        finally:
            process.kill()
            process.wait()


def listeners(*urls: str) -> list[psutil.Process]:
    """The processes that listen on the ports of these URLs."""
    ports = {int(url.rsplit(":", 1)[1].split("/")[0]) for url in urls}
    found = {
        connection.pid
        for connection in psutil.net_connections("tcp4")
        if connection.status == psutil.CONN_LISTEN
        and connection.laddr
        and connection.laddr.port in ports
    }
    return [psutil.Process(pid) for pid in found if pid is not None]


class TestPostgres:
    def test_is_version_18_and_keeps_what_it_confirms(self, own_servers: Servers) -> None:
        assert str(query(own_servers.database_url, "SHOW server_version")).startswith("18.")
        assert query(own_servers.database_url, "SHOW fsync") == "on"
        assert query(own_servers.database_url, "SHOW synchronous_commit") == "on"

    def test_knows_upper_and_lower_case_beyond_ascii(self, own_servers: Servers) -> None:
        assert query(own_servers.database_url, "SELECT lower('ПРИВЕТ')") == "привет"
        assert query(own_servers.database_url, "SELECT 'Ärger' ILIKE 'ärGER'") is True

    def test_refuses_a_wrong_password(self, own_servers: Servers) -> None:
        postgres, _ = parts(own_servers)
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(f"postgres://pushcore:wrong@127.0.0.1:{postgres.port}/pushcore")

    @pytest.mark.parametrize("how", ["kill", "immediate", "fast"])
    def test_comes_back_with_its_data_on_its_port(self, own_servers: Servers, how: str) -> None:
        postgres, _ = parts(own_servers)
        port = postgres.port
        table = f"survives_{how}"
        execute(postgres.url, f"CREATE TABLE {table} AS SELECT 7 AS kept")
        if how == "kill":
            postgres.kill()
        else:
            postgres.stop("immediate" if how == "immediate" else "fast")
        assert not postgres.is_running
        with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
            psycopg2.connect(postgres.url)

        postgres.start()

        assert postgres.port == port
        assert query(postgres.url, f"SELECT kept FROM {table}") == 7

    def test_starting_twice_changes_nothing(self, own_servers: Servers) -> None:
        postgres, _ = parts(own_servers)
        before = query(postgres.url, "SELECT pg_postmaster_start_time()")
        postgres.start()
        assert query(postgres.url, "SELECT pg_postmaster_start_time()") == before

    def test_refuses_data_of_another_major_version(self, own_servers: Servers) -> None:
        postgres, _ = parts(own_servers)
        postgres.stop()
        version = postgres.log.parents[1] / "postgres" / "PG_VERSION"
        version.write_text("17\n")
        try:
            with pytest.raises(ServersError, match=r"was made by PostgreSQL 17, and this is 18"):
                postgres.start()
        finally:
            version.write_text("18\n")
        assert not postgres.is_running

    def test_is_not_misled_by_a_pid_file_that_names_a_stranger(self, own_servers: Servers) -> None:
        postgres, _ = parts(own_servers)
        postgres.kill()
        pid_file = postgres.log.parents[1] / "postgres" / "postmaster.pid"
        lines = pid_file.read_text().split("\n")
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
        postgres.start()
        assert query(postgres.url, "SELECT 1") == 1


class TestValkey:
    def test_never_drops_a_key_and_writes_everything_down(self, own_servers: Servers) -> None:
        with redis_client(own_servers) as client:
            settings = client.config_get("maxmemory-policy", "appendonly", "save", "bind")
        assert settings == {
            "maxmemory-policy": "noeviction",
            "appendonly": "yes",
            "save": "3600 1 300 100",
            "bind": "127.0.0.1",
        }

    def test_refuses_whoever_has_no_password(self, own_servers: Servers) -> None:
        _, server = parts(own_servers)
        with (
            contextlib.closing(redis.Redis(host="127.0.0.1", port=server.port)) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()

    def test_the_password_is_in_no_process_list(self, own_servers: Servers) -> None:
        _, server = parts(own_servers)
        password = server.url.split("@")[0].rsplit(":", 1)[1]
        assert len(password) == 32
        assert not [
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if any(password in argument for argument in process.info["cmdline"] or [])
        ]

    def test_comes_back_with_its_data(self, own_servers: Servers) -> None:
        _, server = parts(own_servers)
        with redis_client(own_servers) as client:
            client.set("kept", "yes")
            server.stop()
            server.start()
            assert client.get("kept") == b"yes"
            client.waitaof(1, 0, 5_000)
            server.kill()
            server.start()
            assert client.get("kept") == b"yes"

    def test_comes_back_empty_where_that_is_wanted(self, own_servers: Servers) -> None:
        _, server = parts(own_servers)
        with redis_client(own_servers) as client:
            client.set("lost", "yes")
            server.stop(keep_data=False)
            server.start()
            assert client.dbsize() == 0

    def test_flush_empties_it_while_it_runs(self, own_servers: Servers) -> None:
        _, server = parts(own_servers)
        with redis_client(own_servers) as client:
            client.set("lost", "yes")
            server.flush()
            assert client.dbsize() == 0


class TestOwnership:
    def test_the_environments_urls_come_first(self, open_folder: Path) -> None:
        urls = {"DATABASE_URL": "postgres://elsewhere/db", "REDIS_URL": "redis://elsewhere/1"}
        with running_servers("unused", environ=urls, data_root=open_folder) as servers:
            assert servers == Servers("postgres://elsewhere/db", "redis://elsewhere/1")
        assert not (open_folder / "unused").exists()

    def test_one_url_leaves_the_other_server_to_us(self, open_folder: Path) -> None:
        urls = {"DATABASE_URL": "postgres://elsewhere/db"}
        with running_servers("half", environ=urls, data_root=open_folder) as servers:
            assert servers.database_url == "postgres://elsewhere/db"
            assert servers.postgres is None
            with redis_client(servers) as client:
                assert client.ping()

    def test_a_second_asker_uses_the_running_ones_and_leaves_them_running(
        self, own_servers: Servers, open_folder: Path
    ) -> None:
        with running_servers("own", environ={}, data_root=open_folder) as servers:
            assert servers == Servers(own_servers.database_url, own_servers.redis_url)
        assert query(own_servers.database_url, "SELECT 1") == 1

    def test_they_end_with_a_killed_owner_and_the_next_one_finds_the_data(
        self, open_folder: Path
    ) -> None:
        with owner_process(open_folder) as (process, said):
            database_url, redis_url, _ = said
            execute(database_url, "CREATE TABLE kept_by_killed AS SELECT 3 AS kept")
            orphans = listeners(database_url, redis_url)
            assert len(orphans) == 2
            process.send_signal(signal.SIGKILL)
            process.wait()
            with running_servers("own-process", environ={}, data_root=open_folder) as servers:
                assert psutil.wait_procs(orphans, timeout=30)[1] == []
                assert query(servers.database_url, "SELECT kept FROM kept_by_killed") == 3

    def test_the_killed_owners_servers_are_gone_without_anybody_asking(
        self, open_folder: Path
    ) -> None:
        if not sys.platform.startswith("linux"):
            pytest.skip("only Linux tells a child that its parent died")
        with owner_process(open_folder) as (process, said):
            orphans = listeners(*said[:2])
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert psutil.wait_procs(orphans, timeout=30)[1] == []

    def test_passwords_and_addresses_are_for_the_owner_alone(
        self, own_servers: Servers, open_folder: Path
    ) -> None:
        for name in ("credentials.json", "running.json"):
            mode = (open_folder / "own" / name).stat().st_mode
            assert stat.S_IMODE(mode) == 0o600, name

    def test_a_taken_port_is_replaced(self, open_folder: Path) -> None:
        with running_servers("port", environ={"DATABASE_URL": "x"}, data_root=open_folder):
            pass
        credentials = open_folder / "port" / "credentials.json"
        before = json.loads(credentials.read_text())
        with (
            socket.create_server(("127.0.0.1", before["redis_port"])),
            running_servers("port", environ={"DATABASE_URL": "x"}, data_root=open_folder),
        ):
            after = json.loads(credentials.read_text())
        assert after["redis_port"] != before["redis_port"]
        assert after["redis_password"] == before["redis_password"]

    @pytest.mark.parametrize("name", ["", "../up", "UPPER", "programs", "a" * 42])
    def test_a_profiles_name_cannot_leave_the_data_folder(
        self, name: str, open_folder: Path
    ) -> None:
        before = sorted(open_folder.iterdir())
        with (
            pytest.raises(ServersError, match="A profile's name has"),
            running_servers(name, environ={}, data_root=open_folder),
        ):
            pass
        assert sorted(open_folder.iterdir()) == before

    def test_an_unknown_kind_of_servers_is_refused(self, open_folder: Path) -> None:
        with (
            pytest.raises(ServersError, match="may be 'system' or unset, not 'docker'"),
            running_servers("kind", environ={"PUSHCORE_SERVERS": "docker"}, data_root=open_folder),
        ):
            pass


class TestFirstStart:
    def test_an_interrupted_one_is_made_anew(self, open_folder: Path) -> None:
        ruin = open_folder / "ruin" / "postgres.unfinished"
        ruin.mkdir(parents=True)
        (ruin / "PG_VERSION").write_text("18\n")
        with running_servers("ruin", environ={"REDIS_URL": "x"}, data_root=open_folder) as servers:
            assert query(servers.database_url, "SELECT 1") == 1
        assert not ruin.exists()

    def test_leaves_no_password_file_behind(self, own_servers: Servers, open_folder: Path) -> None:
        assert not (open_folder / "own" / "postgres.password").exists()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")
    def test_roots_servers_run_as_nobody(self, own_servers: Servers) -> None:
        processes = listeners(own_servers.database_url, own_servers.redis_url)
        assert {process.uids().effective for process in processes} == {
            pwd.getpwnam("nobody").pw_uid
        }
        assert {process.gids().effective for process in processes} == {
            pwd.getpwnam("nobody").pw_gid
        }
