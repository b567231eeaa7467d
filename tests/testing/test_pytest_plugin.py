"""The plugin as a user's own test suite sees it, on a real RabbitMQ and on the embedded broker."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.port import free_port

pytest_plugins = ["pytester"]

CONSUMER_TEST = """
    import pytest
    from cbsim.testing import examples

    def test_served(cb_server):
        queue = cb_server.queue("#")
        cb_server.run("quickstart", rate="max", count=50)
        output = [message.body for message in queue.expect(50)]
        cb_server.assert_consumed(output)

    def test_clean(cb_server):
        assert len(cb_server.ledger) == 0
        assert len(cb_server.queue("#")) == 0
        assert cb_server.url

    @pytest.mark.cbsim(server="6.x", dialect="documented")
    def test_marked(cb_server, cb_messages):
        assert (cb_server.version, cb_server.dialect) == ("6.x", "documented")
        assert any(example.name == "watchlist.hit.process" for example in cb_messages)

    @pytest.mark.parametrize("example", examples("alert.*"), ids=lambda one: one.name)
    def test_parametrized(example, cb_deliver):
        def callback(channel, method, properties, body):
            channel.basic_ack(method.delivery_tag)
        cb_deliver(callback, [example.message]).assert_acked()
"""


@pytest.fixture(params=["embedded", "RabbitMQ"])
def chosen(request: pytest.FixtureRequest) -> str:
    if request.param == "embedded":
        return "embedded"
    url: str = request.getfixturevalue("broker")
    return url


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_fixtures(pytester: pytest.Pytester, chosen: str, workers: list[str]) -> None:
    pytester.makepyfile(CONSUMER_TEST)
    # Every worker's tests with the others': exchanges and queues must not meet.
    done = pytester.runpytest_subprocess(f"--cbsim-broker={chosen}", "-Werror", *workers)
    done.assert_outcomes(passed=8)


def test_a_failure_explains(pytester: pytest.Pytester, chosen: str) -> None:
    pytester.makepyfile("""
        def test_too_few(cb_server):
            queue = cb_server.queue("binaryinfo.#")
            cb_server.emit("binaryinfo.observed", md5="9E4B0E7472B4CEBA9E17F440B8CB0AB8")
            queue.get()
            queue.expect(1, timeout=0.1)

        def test_lossy(cb_server):
            cb_server.emit("feed.synchronized")
            cb_server.assert_consumed([])
    """)
    in_order = ("-p", "no:randomly")
    done = pytester.runpytest_subprocess(f"--cbsim-broker={chosen}", *in_order)
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines([
        "*expected 1 messages on binaryinfo.# within 0.1 s, got 0; missing: lost "
        "binaryinfo.observed message 0 *9E4B0E7472B4CEBA9E17F440B8CB0AB8*",
        "*of 1 messages that were sent, the output",
        "*lacks 1; the first: lost feed.synchronized message 0*",
    ])  # fmt: skip


def test_a_broker_that_is_not_there_is_one_sentence(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(cb_server): pass")
    pytester.makeini("[pytest]\ncbsim_broker = amqp://cb:secret@127.0.0.1:1/")
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["broker amqp://cb@127.0.0.1:1/: nothing listens there *"])
    assert "secret" not in done.stdout.str().replace("cbsim_broker = ", "")
    assert "Traceback" not in done.stdout.str()


def test_the_plugin_costs_nothing_until_it_is_used() -> None:
    code = (
        "import sys, cbsim.pytest_plugin\n"
        "heavy = {'hypothesis', 'pika', 'pydantic', 'faker', 'cbsim.testing'} & {*sys.modules}\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys, cbsim.testing; assert 'hypothesis' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_broker_that_was_asked_for_is_the_one_that_tests_use(
    pytester: pytest.Pytester,
) -> None:
    port = free_port()
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.parametrize("number", range(2))
        def test_it(cb_server, number):
            assert cb_server.url == "amqp://me:s3cret@127.0.0.1:{port}/v"
            assert cb_server.exchange == "api.events"
            assert len(cb_server.queue(name="mine", durable=True)) == 0
            cb_server.emit("feed.synchronized")
    """)
    words = f"--cbsim-broker=embedded://me:s3cret@127.0.0.1:{port}/v"
    pytester.runpytest_subprocess(words, "-Werror").assert_outcomes(passed=2)
    pytester.makeconftest(f"""
        import pytest

        @pytest.fixture(scope="session")
        def cbsim_broker_choice():
            return "embedded://me:s3cret@127.0.0.1:{port}/v"
    """)
    pytester.runpytest_subprocess("-Werror").assert_outcomes(passed=2)


def test_exchanges_of_a_shared_broker_have_a_switch_and_a_word(
    pytester: pytest.Pytester, broker: str
) -> None:
    pytester.makepyfile("""
        import pytest

        def test_own(cb_server):
            assert cb_server.exchange.startswith("api.events.")
            cb_server.emit("feed.synchronized")
            cb_server.assert_consumed([])

        @pytest.mark.cbsim(exchanges="server")
        def test_marked(cb_server):
            assert cb_server.exchange == "api.events"
    """)
    done = pytester.runpytest_subprocess(f"--cbsim-broker={broker}")
    done.assert_outcomes(failed=1, passed=1)
    done.stdout.fnmatch_lines([
        "*on this broker the exchanges are api.events.* and api.rawsensordata.*: bind those "
        "(cb_server.exchange), or keep the server's names (--cbsim-exchanges server)*"
    ])  # fmt: skip
    done = pytester.runpytest_subprocess(f"--cbsim-broker={broker}", "--cbsim-exchanges=server")
    done.stdout.fnmatch_lines(["*where 'api.events' = <CbServer*"])


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("sever='6.x'", "@pytest.mark.cbsim(sever=...): no such argument: did you mean 'server'?"),
        ("'6.x'", "@pytest.mark.cbsim('6.x'): expected server="),
        ("server='9'", "unknown server version '9'*"),
        ("tls='old'", "tls='old': expected good, expired, wrong-name"),
        ("exchanges='mine'", "exchanges='mine': expected 'server' or 'own'"),
    ],
)
def test_a_mistake_in_the_marker_is_one_sentence(
    pytester: pytest.Pytester, marker: str, said: str
) -> None:
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.cbsim({marker})
        def test_it(cb_server): pass
    """)
    done = pytester.runpytest_subprocess("--cbsim-broker=embedded")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([said])
    assert "Traceback" not in done.stdout.str()


def test_certificates(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import ssl
        import pika
        import pytest

        def connected(url, ca_file):
            parameters = pika.URLParameters(url)
            parameters.ssl_options = pika.SSLOptions(
                ssl.create_default_context(cafile=ca_file), parameters.host)
            return pika.BlockingConnection(parameters)

        @pytest.mark.cbsim(tls="good")
        def test_good(cb_server, cb_certificates):
            queue = cb_server.queue("feed.#")
            cb_server.emit("feed.synchronized")
            assert len(queue.expect(1)) == 1
            assert cb_server.url.startswith("amqps://")
            connected(cb_server.url, cb_certificates.ca_file).close()

        @pytest.mark.parametrize("said", [
            pytest.param("has expired", marks=pytest.mark.cbsim(tls="expired")),
            pytest.param("mismatch", marks=pytest.mark.cbsim(tls="wrong-name")),
        ])
        def test_bad(cb_server, cb_certificates, said):
            with pytest.raises(ssl.SSLCertVerificationError) as refused:
                connected(cb_server.url, cb_certificates.ca_file)
            assert said in repr(refused.value)
    """)
    pytester.runpytest_subprocess("--cbsim-broker=embedded").assert_outcomes(passed=3)
