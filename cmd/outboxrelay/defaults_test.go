package main

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/framing"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// A setting has the same default as the field that it sets, so that a relay in a
// service's own process works like the command.
func TestDefaultsAreThoseOfTheLibrary(t *testing.T) {
	t.Parallel()
	v := values{}
	for _, s := range table {
		v[s.name] = s.def
	}
	maps.Copy(v, values{"database-url": "postgres://127.0.0.1:1/d", "schema-id": "prefix", "registry-url": "http://127.0.0.1:1"})
	r := newReader(table, v, &secret.Redactor{})
	o := readOutbox(r)
	if err := r.misuse(); err != nil {
		t.Fatal(err)
	}
	machinery := cmpopts.IgnoreFields(relay.Config{}, "Clock", "NewHolder", "Observer", "Logger", "TracerProvider")
	if diff := cmp.Diff(relay.Config{}.WithDefaults(), o.relay.WithDefaults(), machinery, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("relay.Config (-library +settings):\n%s", diff)
	}
	type rest struct {
		name string
		mode pgstore.Mode
		id   framing.Config
	}
	store := pgstore.Config{}.WithDefaults()
	library := rest{
		store.Name, store.Mode,
		framing.Config{Registry: o.registry.Registry, Mode: o.registry.Mode, Subject: framing.DefaultSubject, Refresh: framing.DefaultRefresh},
	}
	if diff := cmp.Diff(library, rest{o.name, o.mode, *o.registry}, cmp.AllowUnexported(rest{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("other defaults (-library +settings):\n%s", diff)
	}
}
