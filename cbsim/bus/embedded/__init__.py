"""An AMQP 0-9-1 broker in our own process, with faults on demand.

What consumers of the bus use, as RabbitMQ 3.10 does it, errors and their texts included: logins by
PLAIN and AMQPLAIN, TLS, tuning, heartbeats; direct, topic, fanout and headers exchanges, the
default exchange, bindings between exchanges, alternate exchanges; durable, exclusive, auto-delete
and server-named queues, `x-expires`, `x-message-ttl`, `x-max-length`, `x-max-length-bytes`,
`x-overflow`, dead-lettering with `x-death`; mandatory messages, confirms, CC and BCC; consumers
with acks, prefetch, priorities, cancel-notify; get, nack, reject, recover; `connection.blocked`.

| it does not have | what happens |
| --- | --- |
| anything on disk | durable and persistent are noted; all is gone when it stops |
| transactions (`tx`) | 540 NOT_IMPLEMENTED |
| quorum queues, streams, `x-max-priority`, `x-single-active-consumer` | 540 NOT_IMPLEMENTED |
| direct reply-to, `connection.update-secret` | 540 NOT_IMPLEMENTED |
| more than one user or virtual host, permissions, policies | 530, or 403 at login |
| a time limit for acks, plugins, a management API | as if nobody had configured any |
| AMQP 0-8, 0-9 and 1.0 | answered with the protocol header of 0-9-1 |

What clients may take is bounded, each by the protocol and all together (`Quota` has the figures):

| of | a connection may have | all together | and beyond it |
| --- | --- | --- | --- |
| connections not logged in | 10 s; frames of 4,096 bytes | 250 | the first that came must go |
| logins | | 20 a second, once so many were wrong | they wait; after 5 s they are cut off |
| connections | | 500 | 530 NOT_ALLOWED |
| channels | 2,047 | 20,000 | 530 NOT_ALLOWED |
| queues, exchanges | | 10,000, 1,000 | 406 PRECONDITION_FAILED |
| bindings, consumers | | 20,000, 2,000 | 406 PRECONDITION_FAILED |
| declarations with their arguments | | 4 MiB | 406 PRECONDITION_FAILED |
| messages | 128 MiB each | 256 MiB | publishers wait |
| bodies that have not come to their end | | 128 MiB | 506 RESOURCE_ERROR to who has most |
| what is sent and not read | 16 MiB, then it is not read from | 128 MiB | who has most is cut off |
"""

from cbsim.bus.embedded.broker import EmbeddedBroker
from cbsim.bus.embedded.fault import Fault, Parameter
from cbsim.bus.embedded.faults import FAULTS, Faults
from cbsim.bus.embedded.quota import Quota

__all__ = ["FAULTS", "EmbeddedBroker", "Fault", "Faults", "Parameter", "Quota"]
