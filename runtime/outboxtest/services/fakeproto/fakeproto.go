// Package fakeproto is the protocol between package services and the process that runs
// its fake Kafkas. Both sides write JSON values, one after the other: a [Request] to
// the process's input, a [Reply] to its output. The process ends when its input ends.
//
// The fake Kafka is franz-go's kfake. It has no release yet, so the runtime's module
// does not require it: the process is built in outboxgen's repository.
package fakeproto

// Action is the kind of a request.
type Action string

// Actions.
const (
	Start   Action = "start"   // a new cluster with the number Cluster, brokers on Ports, and Topics
	Open    Action = "open"    // let the cluster's brokers listen again
	Shut    Action = "shut"    // end the cluster's listeners and connections
	Close   Action = "close"   // end the cluster
	Break   Action = "break"   // answer as Fault says, which gets the number Fault.ID
	Repair  Action = "repair"  // end the fault with the number Fault.ID
	Control Action = "control" // ask, by a Call, what to answer to each request of the kind Key
	Answer  Action = "answer"  // the answer to the Call with the number ID; it gets no reply
)

// Request is a request to the process.
type Request struct {
	ID      int64            `json:"id"` // the reply has it too
	Do      Action           `json:"do"`
	Cluster int64            `json:"cluster,omitempty"`
	Ports   []int            `json:"ports,omitempty"`
	Topics  map[string]int32 `json:"topics,omitempty"` // with their numbers of partitions
	Key     int16            `json:"key,omitempty"`
	Fault   Fault            `json:"fault,omitzero"`
	// Response is Kafka's response in an Answer, without its header. If it is empty,
	// the fake answers itself.
	Response []byte `json:"response,omitempty"`
}

// Fault is an error that requests are answered with.
type Fault struct {
	ID         int64   `json:"id,omitempty"`
	Key        int16   `json:"key"`
	Topic      string  `json:"topic,omitempty"`      // "" means every topic
	Partitions []int32 `json:"partitions,omitempty"` // none means all
	Code       int16   `json:"code"`
	Count      int     `json:"count,omitempty"` // of requests; 0 means one, -1 all until Repair
}

// Reply answers a request, or makes a Call.
type Reply struct {
	ID    int64  `json:"id,omitempty"`
	Error string `json:"error,omitempty"`
	Call  *Call  `json:"call,omitempty"`
}

// Call asks what to answer to a request to Kafka that Control named.
type Call struct {
	ID      int64  `json:"id"`
	Cluster int64  `json:"cluster"`
	Key     int16  `json:"key"`
	Version int16  `json:"version"`
	Body    []byte `json:"body"` // the request, without its header
}
