package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay/framing"
)

// registrySettings returns all settings that readRegistry reads, with some changed.
func registrySettings(changed values) values {
	v := values{}
	for _, s := range only("schema-id", "registry-url", "registry-auth", "registry-token", "registry-subject", "registry-subjects", "registry-refresh") {
		v[s.name] = s.def
	}
	for name, text := range changed {
		v[name] = text
	}
	return v
}

func TestRegistrySettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		given values
		want  *framing.Config
	}{
		"none": {values{"registry-url": "http://registry:8081"}, nil},
		"the defaults": {
			values{"schema-id": "prefix", "registry-url": "http://registry:8081"},
			&framing.Config{Registry: "http://registry:8081", Mode: framing.Prefix, Subject: "{topic}-value", Subjects: map[string]string{}, Refresh: time.Minute},
		},
		"all": {
			values{
				"schema-id": "header", "registry-url": "https://registry/apis/ccompat/v7", "registry-auth": "ann:s3:cret",
				"registry-subject": "{topic}-{type}", "registry-subjects": "order.placed.v1=OrderPlaced, order.paid.v1=OrderPaid", "registry-refresh": "0",
			},
			&framing.Config{
				Registry: "https://registry/apis/ccompat/v7", User: "ann", Password: "s3:cret", Mode: framing.Header, Subject: "{topic}-{type}",
				Subjects: map[string]string{"order.placed.v1": "OrderPlaced", "order.paid.v1": "OrderPaid"}, Refresh: -1,
			},
		},
		"a user in the address": {
			values{"schema-id": "prefix", "registry-url": "https://ann:s3cret@registry"},
			&framing.Config{
				Registry: "https://registry", User: "ann", Password: "s3cret", Mode: framing.Prefix, Subject: "{topic}-value",
				Subjects: map[string]string{}, Refresh: time.Minute,
			},
		},
	} {
		r := newReader(only("schema-id", "registry-refresh"), registrySettings(test.given), &secret.Redactor{})
		got := readRegistry(r)
		if err := r.misuse(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWrongRegistrySettings(t *testing.T) {
	t.Parallel()
	const address = "http://registry:8081"
	for name, test := range map[string]struct {
		given values
		want  string
	}{
		"no address": {values{}, "the address of the schema registry (schema-id is prefix) is missing: set --registry-url, " +
			"OUTBOXRELAY_REGISTRY_URL, SCHEMA_REGISTRY_URL, or registry_url in the settings file (--config)"},
		"no URL":             {values{"registry-url": "registry:8081"}, "setting registry-url: it is not an address such as https://user:password@host:8081"},
		"a cut password":     {values{"registry-url": "http://ann:s3/cret@registry"}, "setting registry-url: an @ follows the first /, ? or #, so a password may have been cut off there; in a user"},
		"no password":        {values{"registry-url": address, "registry-auth": "s3cret"}, "setting registry-auth: it must have the form user:password"},
		"a token and a user": {values{"registry-url": address, "registry-auth": "a:s3cret", "registry-token": "s3cret"}, "setting registry-token: registry-auth or registry-url also sets a user: set either the token or the user"},
		"no subject":         {values{"registry-url": address, "registry-subjects": "OrderPlaced"}, `setting registry-subjects: "OrderPlaced" must have the form EVENT_TYPE=SUBJECT`},
		"an unknown place":   {values{"registry-url": address, "registry-subject": "{name}"}, `setting registry-subject: framing: Config.Subject is "{name}": only {topic} and {type} can be in braces`},
	} {
		test.given["schema-id"] = "prefix"
		secrets := &secret.Redactor{}
		r := newReader(only("schema-id"), registrySettings(test.given), secrets)
		readRegistry(r)
		err := r.misuse()
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(secrets.Text(err.Error()), "s3") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
