// Package runbook names the incidents of docs/runbook.md, so that messages lead to them.
package runbook

// Incident is the anchor of a section of docs/runbook.md. The zero value is none.
type Incident string

// The incidents.
const (
	BrokerDown        Incident = "broker-down"
	TopicMissing      Incident = "topic-missing"
	PoisonRecord      Incident = "poison-record"
	RelayFrozen       Incident = "relay-frozen"
	PoolerInTheWay    Incident = "pooler-in-the-way"
	TableBloated      Incident = "table-bloated"
	PrimaryFailedOver Incident = "primary-failed-over"
	WrongCredentials  Incident = "wrong-credentials"
	DeadLetters       Incident = "dead-letters-of-a-consumer"
	OldRelay          Incident = "old-relay-beside-ours"
)

// All lists the incidents in the order of the page.
func All() []Incident {
	return []Incident{
		BrokerDown, TopicMissing, PoisonRecord, RelayFrozen, PoolerInTheWay, TableBloated, PrimaryFailedOver, WrongCredentials, DeadLetters, OldRelay,
	}
}

// Page is the address of the runbook.
const Page = "https://github.com/outboxgen/outboxgen/blob/main/docs/runbook.md"

// URL is the address of the incident's section; "" for none.
func (i Incident) URL() string {
	if i == "" {
		return ""
	}
	return Page + "#" + string(i)
}
