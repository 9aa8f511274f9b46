// Package bus carries messages durably over NATS JetStream: in this process by default, or
// on an external cluster.
//
// Publish returns when a message is on stable storage; Consume shares a stream's messages
// among consumers and tries each a bounded number of times; what cannot be handled goes to
// a dead-letter stream with the reason. docs/bus.md says what an external cluster needs.
package bus
