// Package fakeproto is the protocol between package services and the process that runs
// its fake Kafkas: package net/rpc, on the process's standard input and output. The
// methods of [Name] in the process are
//
//	Start(Cluster)        a new cluster
//	Open(int64)           let the brokers of the cluster with this number listen again
//	Shut(int64)           end their listeners and connections
//	Close(int64)          end the cluster
//	Break(Fault)          answer requests with an error
//	Repair(int64)         end the fault with this number
//	Control(Control)      ask what to answer to requests of a kind
//	Next(int64) Call      wait for the next question; the argument means nothing
//	Answer(Answer)        answer it
//
// The other methods return nothing. The caller chooses the numbers. The process ends
// when its input ends.
//
// The fake Kafka is franz-go's kfake. It has no release yet, so the runtime's module
// does not require it: the process is built in outboxgen's repository.
package fakeproto

// Name is the name of the service in the process.
const Name = "Fake"

// Cluster describes a cluster.
type Cluster struct {
	Number int64
	Ports  []int            // of its brokers
	Topics map[string]int32 // with their numbers of partitions
}

// Fault is an error that requests are answered with.
type Fault struct {
	Cluster, Number int64
	Key             int16
	Topic           string  // "" means every topic
	Partitions      []int32 // none means all
	Code            int16
	Count           int // of requests; 0 means one, -1 all until Repair
}

// Control is a kind of requests to a cluster.
type Control struct {
	Cluster int64
	Key     int16
}

// Call asks what to answer to a request.
type Call struct {
	Control
	Number  int64
	Version int16
	Body    []byte // the request, without its header
}

// Answer is the answer to the call with the number. If the response is empty, the fake
// answers itself.
type Answer struct {
	Number   int64
	Response []byte // without its header
}
