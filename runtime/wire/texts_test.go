package wire_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// texts has valid texts of a format, which are written back unchanged, and invalid
// texts.
type texts struct{ kept, wrong []string }

var dateTimes = texts{
	kept: []string{
		"2024-02-29T23:59:59Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-01-01T00:00:00.5Z",
		"2024-01-01T00:00:00.000000Z", "2024-01-01T00:00:00.500000Z",
		"2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00.10+00:00",
		"2024-01-01T00:00:00-00:00", "2024-01-01T00:00:00.000-00:00",
		"2024-01-01T00:00:00.123456789-03:30", "2024-01-01T00:00:00.10+01:00", "2024-01-01T00:00:00.000-23:59", "2024-01-01T00:00:00.000000000+02:00",
		"2024-01-01t00:00:00Z", "2024-01-01T00:00:00z", "2024-01-01t00:00:00.120z", "2024-01-01t00:00:00+01:00",
		"2024-01-01T00:00:00.1234567891Z", "2024-01-01T00:00:00.5000000000Z", "2024-01-01T00:00:00." + strings.Repeat("9", 40) + "+01:00",
		"2016-12-31T23:59:60Z", "2016-12-31T15:59:60.123-08:00", "2017-01-01T09:29:60.25+09:30", "9999-12-31T23:59:60Z",
	},
	wrong: []string{
		"2024-05-01 12:00:00Z", "2024-05-01 12:00:00+00:00", "2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00",
		"2024-01-01T00:00:00.Z", "2016-12-31T23:58:60Z", "2016-12-31T23:59:61Z", "2016-12-31T23:59:60+01:00", "2024-01-01T00:00:00+24:00", "",
	},
}

var timesOfDay = texts{
	kept: []string{
		"12:30:00Z", "12:30:00z", "12:30:00.5-01:00", "12:30:00.500-01:00", "12:30:00.000Z", "12:30:00+00:00", "12:30:00-00:00",
		"12:30:00.1234567891Z", "23:59:60Z", "23:59:60.000+00:00", "15:59:60-08:00", "00:29:60+00:30", "01:29:60+01:30",
	},
	wrong: []string{"12:30Z", "12:30:00", "24:00:00Z", "12:30:60Z", "23:59:61Z", "23:59:60+01:00", "12:30:00.Z", ""},
}

var durations = texts{
	kept: []string{
		"P1Y2M3DT4H5M6S", "P2W", "PT0S", "P0D", "P0W", "PT0H", "P0Y0M0DT0H0M0S", "PT1H", "PT36H", "PT05M", "P01D", "P0Y1D", "P1DT0H",
		"PT1H0M2S", "PT1H2S", "P1Y1D", "P1234567890D", "P9223372036854775807D", "PT9223372036854775808S", "P99999999999999999999D",
		"P" + strings.Repeat("0", 30) + "1Y" + strings.Repeat("9", 100) + "M",
	},
	wrong: []string{"P", "PT", "P1DT", "P1M2Y", "1D", "P1W2D", "P0W2D", "P2WT0H", "PT1.5S", "-P1D", "p1d", ""},
}

// A value that was read is written as the original text.
func TestTextsAreKept(t *testing.T) {
	t.Parallel()
	checkTexts(t, "date-time", dateTimes, (*wire.Decoder).DateTime, (*wire.Encoder).DateTime)
	checkTexts(t, "time", timesOfDay, (*wire.Decoder).TimeOfDay, (*wire.Encoder).TimeOfDay)
	checkTexts(t, "duration", durations, (*wire.Decoder).Duration, (*wire.Encoder).Duration)
}

func checkTexts[T any](t *testing.T, format string, texts texts, read func(*wire.Decoder) T, write func(*wire.Encoder, T)) {
	t.Helper()
	const refused = "refused"
	want, got := map[string]string{}, map[string]string{}
	for _, text := range texts.kept {
		want[text] = text
	}
	for _, text := range texts.wrong {
		want[text] = refused
	}
	for text := range want {
		out, err := through(`"`+text+`"`, read, write)
		if got[text] = strings.Trim(out, `"`); err != nil {
			got[text] = refused
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", format, diff)
	}
}

// A time that remembers its text behaves like others. It equals the same time, is
// formatted as usual, and is written as usual after a change.
func TestDateTimeThatRemembersItsText(t *testing.T) {
	t.Parallel()
	type seen struct {
		Time          time.Time
		Shown, Second string // as String shows it, and a second later as it is written
	}
	want := map[string]seen{
		"2024-01-01T00:00:00.500000Z":     {time.Date(2024, 1, 1, 0, 0, 0, 5e8, time.UTC), "2024-01-01 00:00:00.5 +0000 UTC", "2024-01-01T00:00:01.500000Z"},
		"2024-01-01t00:00:00z":            {time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), "2024-01-01 00:00:00 +0000 UTC", "2024-01-01T00:00:01Z"},
		"2024-01-01T02:00:00.500000Z":     {time.Date(2024, 1, 1, 2, 0, 0, 5e8, time.UTC), "2024-01-01 02:00:00.5 +0000 UTC", "2024-01-01T02:00:01.500000Z"},
		"2024-01-01T00:00:00.000+02:00":   {time.Date(2023, 12, 31, 22, 0, 0, 0, time.UTC), "2024-01-01 00:00:00 +0200 +0200", "2024-01-01T00:00:01.000+02:00"},
		"2024-01-01T00:00:00.1234567891Z": {time.Date(2024, 1, 1, 0, 0, 0, 123456789, time.UTC), "2024-01-01 00:00:00.123456789 +0000 UTC", "2024-01-01T00:00:01.123456789Z"},
		"2016-12-31T23:59:60.5Z":          {time.Date(2017, 1, 1, 0, 0, 0, 5e8, time.UTC), "2017-01-01 00:00:00.5 +0000 UTC", "2017-01-01T00:00:01.5Z"},
		"2016-12-31T15:59:60-08:00":       {time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC), "2016-12-31 16:00:00 -0800 -0800", "2016-12-31T16:00:01-08:00"},
	}
	got := map[string]seen{}
	for text := range want {
		var at time.Time
		if err := wire.Unmarshal([]byte(`"`+text+`"`), &at, "time", (*wire.Decoder).DateTime); err != nil {
			t.Fatal(err)
		}
		later, err := wire.Marshal(at.Add(time.Second), "time", (*wire.Encoder).DateTime)
		if err != nil {
			t.Fatal(err)
		}
		got[text] = seen{at, at.String(), strings.Trim(string(later), `"`)}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A location that only resembles one with a text has no effect.
func TestDateTimeInOtherLocations(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	want, got := map[string]string{
		"2024-01-01t12:00:00Z":      "2024-01-01T13:00:00+01:00",
		"2024-01-01t11:00:00+01:00": "2024-01-01T13:00:00+01:00",
		"2024-01-01t13:00:00+01:00": "2024-01-01t13:00:00+01:00",
		".000":                      "2024-01-01T13:00:00.000+01:00",
		".000000000000000":          "2024-01-01T13:00:00.000000000+01:00",
		"CET":                       "2024-01-01T13:00:00+01:00",
	}, map[string]string{}
	for name := range want {
		out, err := wire.Marshal(at.In(time.FixedZone(name, 3600)), "time", (*wire.Encoder).DateTime)
		if err != nil {
			t.Fatal(err)
		}
		got[name] = strings.Trim(string(out), `"`)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The text matters only for writing. Values with equal fields are equal, and a changed
// one is written in the usual form.
func TestTextIsNotPartOfTheValue(t *testing.T) {
	t.Parallel()
	type all struct {
		Time     wire.TimeOfDay
		Duration wire.Duration
	}
	document := `{"Time":"12:00:00.000+00:00","Duration":"PT05M"}`
	var got all
	if err := json.Unmarshal([]byte(document), &got); err != nil {
		t.Fatal(err)
	}
	want := all{wire.TimeOfDay{Hour: 12}, wire.Duration{Minutes: 5}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Time.Equal(wire.TimeOfDay{Hour: 13}) || got.Duration.Equal(wire.Duration{Seconds: 300}) {
		t.Error("equal values of different fields")
	}
	same, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	got.Time.Hour, got.Duration.Minutes = 13, 6
	changed, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{document, `{"Time":"13:00:00Z","Duration":"PT6M"}`}, []string{string(same), string(changed)}); diff != "" {
		t.Errorf("as read and after a change (-want +got):\n%s", diff)
	}
}

// Every value that is read is written as the same text, and read again as the same
// value.
func FuzzTexts(f *testing.F) {
	for _, texts := range []texts{dateTimes, timesOfDay, durations} {
		for _, text := range append(texts.kept, texts.wrong...) {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		comesBack(t, text, (*wire.Decoder).DateTime, (*wire.Encoder).DateTime)
		comesBack(t, text, (*wire.Decoder).TimeOfDay, (*wire.Encoder).TimeOfDay)
		comesBack(t, text, (*wire.Decoder).Duration, (*wire.Encoder).Duration)
		comesBack(t, text, (*wire.Decoder).Date, (*wire.Encoder).Date)
	})
}

func comesBack[T any](t *testing.T, text string, read func(*wire.Decoder) T, write func(*wire.Encoder, T)) {
	t.Helper()
	document, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := through(string(document), read, write)
	if err != nil {
		return
	}
	if diff := cmp.Diff(`"`+text+`"`, out); diff != "" {
		t.Errorf("%T of %q (-want +got):\n%s", *new(T), text, diff)
	}
}

// A part of a duration that is too large for an int is the largest int, and durations
// with different digits differ. It is written with its digits until a field changes.
func TestLargeDurations(t *testing.T) {
	t.Parallel()
	parse := func(text string) wire.Duration {
		d, err := wire.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	a, b := parse("P99999999999999999999D"), parse("P99999999999999999998D")
	if a.Days != math.MaxInt || !a.Equal(parse("P99999999999999999999D")) || a.Equal(b) {
		t.Errorf("%d days, equal %t", a.Days, a.Equal(b))
	}
	a.Days = 1
	if diff := cmp.Diff([]string{"P1D", "P99999999999999999998D"}, []string{a.String(), b.String()}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
