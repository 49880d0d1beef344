"""
The log: what was published, in which order, and who may see it.

Guarantee. A publication's offset comes from its channel's locked stream row, so offsets are
contiguous and commit order is offset order. A reader that knows (epoch, offset) can ask for what
follows and gets exactly that, or hears that it cannot be given.

Concurrency. `publish` locks one stream row until the transaction ends; `publish_many` locks all
of its rows in ascending stream id and belongs last in a transaction. Two `publish` calls for two
channels in one transaction are a deadlock waiting for a second writer: use `publish_many`.

Lifecycle. The bell is rung after commit and may be lost; the gateways' head checks find out. A
transaction or savepoint that rolls back publishes nothing.

Imports. This package knows `shared.broker` below it and no domain app above it.
"""
