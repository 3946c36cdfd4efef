package golden_test

import (
	"testing"

	tools "github.com/outboxgen/outboxgen/testdata/golden/tools/events"
)

// Payloads of schemas that tools wrote are decoded and encoded without a change.
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
		{`{"deviceId":"018f4d2e-7f2b-7c3d-8e4f-0123456789ab","level":1,"location":null,"firmware":"1","seenAt":null,"readings":[{"measuredAt":"2026-01-02T03:04:05Z","value":1.5}]}`, &tools.DeviceReportedV1{}},
		{`{"paymentId":"018f4d2e-7f2b-7c3d-8e4f-0123456789ab","amount":{"value":5,"currency":"EUR"},"fee":{"value":1,"currency":"EUR"},"refunded":null,"source":{"type":"card","network":"visa"},"reference":12.5,"memo":null,"tags":["a"],"risk":2,"location":[1.5,2],"metadata":{"a":"b"},"raw":[1,{"a":null}],"capturedAt":"2026-01-02T03:04:05Z","settlesAt":1,"receipt":{"email":"a@example.com","more":1},"splits":[{"account":"a","children":[{"account":"b","children":[]}]}]}`, &tools.PaymentCapturedV1{}},
		{`{"cartId":"018f4d2e-7f2b-7c3d-8e4f-0123456789ab","items":[{"sku":"a","bundle":[{"sku":"b"}]}],"itemCount":1,"coupon":null,"prices":{"a":1.5},"pair":["a",1,true],"channel":"ios"}`, &tools.CartPricedV1{}},
		{`{"bookingId":"b","bookedAt":"2026-01-02T03:04:05Z","customer":{"id":"c","name":"d"},"seatClass":"first","gate":null,"extras":{"lunch":1.5},"legs":[{"from":"a","to":"b"}],"window":true,"baggage":"none","meal":"vegan","coordinates":[1,2]}`, &tools.SeatBookedV1{}},
		{`{"billing":{"street":"s","country":"SE"},"origin":{"host":"h"},"lines":{"content":[{"price":1.5,"quantity":2}],"last":null},"byCode":{"a":1},"orderNumber":"1","state":null,"tags":[],"kind":"ORDER"}`, &tools.OrderDeliveredV1{}},
		{`{"cart_id":"c","items":[{"sku":"a","matrix":[[1,2],[3]]}],"abandoned_at":"2026-01-02T03:04:05Z","snapshot":"AQI=","labels":{},"counts":{"1":2,"x":"y"},"client_ip":"127.0.0.1","extra":null,"score":"high","parent":null,"reason":"timeout"}`, &tools.CartAbandonedV1{}},
		{`{"parcel_id":"p","scanned_at":"2026-01-02T03:04:05Z","weight_grams":"12","status":2,"direction":"DIRECTION_IN","depot":{"code":"d","geo":{"lat":1,"lon":2}},"history":[{"code":"e"}],"attributes":{"a":"b"},"signature":"AQI=","temperature":null,"fragile":true,"more":1}`, &tools.ParcelScannedV1{}},
		{`{"parcel_id":"p","status":"SCAN_STATUS_OK"}`, &tools.ParcelScannedV1{}},
		{`{"truckId":"t","cargoUnits":"12","size":"TRUCK_SIZE_SMALL","ramp":{"number":1},"ramps":[],"departs":"2026-01-02T03:04:05Z","load":"NaN"}`, &tools.TruckLoadedV1{}},
		{`{"size":7,"load":1.5,"truck_id":"t","cargo_units":3}`, &tools.TruckLoadedV1{}},
		{`{"ticketId":"1","urgent":"true","url":"https://example.com/","opened":"2026-01-02T03:04:05Z","assignee":null,"answers":[{"value":["a"]},{"value":true},{"value":"b"}],"score":null,"mood":"so_so"}`, &tools.TicketOpenedV1{}},
		{`{"accountId":"018f4d2e-7f2b-7c3d-8e4f-0123456789ab","owner":{"partyType":"company","country":"SE","registration":"r"},"coOwner":{"partyType":"x","name":"n"},"product":2,"limit":null,"branch":"north","openedOn":"2026-01-02","contract":"AQI=","features":{"a":{"enabled":true,"since":1}},"notes":null,"settings":{"a":1},"funding":{"method":"wire","iban":"i"}}`, &tools.AccountOpenedV1{}},
		{`{"accountId":"018f4d2e-7f2b-7c3d-8e4f-0123456789ab","owner":{"partyType":"person","name":"n","born":"2000-01-02"},"coOwner":null,"product":1}`, &tools.AccountOpenedV1{}},
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
