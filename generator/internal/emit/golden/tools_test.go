package golden_test

import (
	"testing"

	tools "github.com/outboxgen/outboxgen/testdata/golden/tools/events"
)

// Payloads of schemas that tools wrote come back as they were.
func TestToolsRoundTrip(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		event interface {
			UnmarshalJSON(data []byte) error
			MarshalJSON() ([]byte, error)
			Validate() error
		}
	}{
		{`{"order_id":"018f4d2e-7f2b-7c3d-8e4f-0123456789ab","placed_at":"2026-01-02T03:04:05Z","note":null,"channel":"app","lines":{"items":[{"sku":"a","quantity":2,"unit_price":{"amount":"1.50","currency":"EUR"}}],"next_cursor":null},"total":{"amount":3.5},"payment":{"kind":"card","last4":"4242"},"labels":{"a":"b"},"billing":{"vat_id":"x"},"shipping":{"street":"y"}}`, &tools.OrderPlacedV1{}},
		{`{"user_id":"u","role":"writer","addresses":[{"city":"x"}],"invited_by":"018f4d2e-7f2b-7c3d-8e4f-0123456789ab","more":1}`, &tools.UserRegisteredV1{}},
		{`{"shipmentId":"s","carrier":"ups","overrides":{"from":"a"},"parcels":{"items":[{"trackingUrl":"https://example.com/1"}]},"statuses":[{"at":"2026-01-02T03:04:05Z"}],"weight":null}`, &tools.ShipmentSentV1{}},
		{`{"invoiceNumber":"1","paidBy":{"name":"a"},"billedTo":{"vatNumber":"b"},"amountCents":5,"kind":"FULL"}`, &tools.InvoicePaidV1{}},
		{`{"deviceId":"d","level":1,"location":null,"firmware":"1","seenAt":null,"readings":[{"measuredAt":"2026-01-02T03:04:05Z","value":1.5}]}`, &tools.DeviceReportedV1{}},
	} {
		if err := test.event.UnmarshalJSON([]byte(test.text)); err != nil {
			t.Errorf("%T: %v", test.event, err)
			continue
		}
		if err := test.event.Validate(); err != nil {
			t.Errorf("%T: %v", test.event, err)
		}
		got, err := test.event.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != test.text {
			t.Errorf("%T:\n got %s\nwant %s", test.event, got, test.text)
		}
	}
}
