package generator_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/outboxgen/outboxgen/generator"
)

const registered = `{
  "title": "OrderPlaced",
  "type": "object",
  "additionalProperties": false,
  "required": ["order_id", "state"],
  "properties": {
    "order_id": {"type": "string", "maxLength": 36},
    "state": {"type": "string", "enum": ["new", "paid"]},
    "note": {"type": "string"}
  }
}`

// The registry has three versions of the schema. The level decides which of them count.
func TestCheckAgainstARegistry(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, compat, subject string
		versions              []sr.Schema
		want                  string
	}{
		{"nothing registered", "{}", "other-value", []sr.Schema{{Schema: registered, Type: sr.TypeJSON}}, "PASS"},
		{"the same", "{}", "shop.order_placed.v1-value", []sr.Schema{{Schema: registered, Type: sr.TypeJSON}}, "PASS"},
		{
			"the last version counts", "{}", "shop.order_placed.v1-value",
			[]sr.Schema{{Schema: strings.Replace(registered, "36", "99", 1), Type: sr.TypeJSON}, {Schema: registered, Type: sr.TypeJSON}}, "PASS",
		},
		{
			"every version counts", "{level: BACKWARD_TRANSITIVE}", "shop.order_placed.v1-value",
			[]sr.Schema{{Schema: strings.Replace(registered, "36", "99", 1), Type: sr.TypeJSON}, {Schema: registered, Type: sr.TypeJSON}}, "max-length-decreased",
		},
		{
			"subjects named by record", "{subjects: record}", "OrderPlaced",
			[]sr.Schema{{Schema: strings.Replace(registered, `"paid"`, `"paid", "lost"`, 1), Type: sr.TypeJSON}}, "enum-value-removed",
		},
		{
			"subjects named by topic and record", "{subjects: topic-record}", "shop.order_placed.v1-OrderPlaced",
			[]sr.Schema{{Schema: strings.Replace(registered, `"paid"`, `"paid", "lost"`, 1), Type: sr.TypeJSON}}, "enum-value-removed",
		},
		{"Avro there", "{}", "shop.order_placed.v1-value", []sr.Schema{{Schema: `"string"`}}, "schema-type-changed"},
		{"no schema there", "{}", "shop.order_placed.v1-value", []sr.Schema{{Schema: `{"type": "text"}`, Type: sr.TypeJSON}}, "earlier-unreadable"},
		{
			"a reference", "{}", "shop.order_placed.v1-value",
			[]sr.Schema{{
				Schema: strings.Replace(registered, `{"type": "string", "maxLength": 36}`, `{"$ref": "https://schemas.example.com/id.json"}`, 1),
				Type:   sr.TypeJSON, References: []sr.SchemaReference{{Name: "https://schemas.example.com/id.json", Subject: "ids", Version: 1}},
			}}, "max-length-decreased",
		},
		{"no level", "{level: NONE}", "shop.order_placed.v1-value", []sr.Schema{{Schema: `{"type": "string"}`, Type: sr.TypeJSON}}, "PASS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			reg := srfake.New()
			t.Cleanup(reg.Close)
			reg.SeedSchema("ids", 1, 100, sr.Schema{Schema: `{"type": "string", "maxLength": 99}`, Type: sr.TypeJSON})
			for i, s := range test.versions {
				reg.SeedSchema(test.subject, i+1, i+1, s)
			}
			r := &repo{t, t.TempDir()}
			r.write("outboxgen.yaml", project+"compat: "+test.compat+"\n")
			r.write("schemas/order_placed.v1.yaml", placed)
			if got := r.verdict(reg.URL()); got != test.want {
				t.Errorf("check says %s, not %s", got, test.want)
			}
		})
	}
}

// A finding names its origin as the registry does, without the user.
func TestCheckNamesWhatIsRegistered(t *testing.T) {
	t.Parallel()
	reg := srfake.New(srfake.WithAuth("Basic " + base64.StdEncoding.EncodeToString([]byte("ann:s3cret"))))
	t.Cleanup(reg.Close)
	reg.SeedSchema("shop.order_placed.v1-value", 1, 1, sr.Schema{Schema: strings.Replace(registered, "36", "99", 1), Type: sr.TypeJSON})
	r := &repo{t, t.TempDir()}
	r.write("outboxgen.yaml", project)
	r.write("schemas/order_placed.v1.yaml", placed)
	host := strings.TrimPrefix(reg.URL(), "http://")
	for name, change := range map[string]func(*generator.CheckConfig){
		"in the address":     func(c *generator.CheckConfig) { c.Against = "http://ann:s3cret@" + host + "/?key=s3cret" },
		"in the environment": func(c *generator.CheckConfig) { c.Env = userInfo("ann:s3cret") },
	} {
		result, err := r.check(reg.URL(), change)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var b strings.Builder
		if err := result.Write(&b, "text", generator.CheckReportOptions{}); err != nil {
			t.Fatal(err)
		}
		want := "schemas/order_placed.v1.yaml:12:53: breaks readers with the new schema: the new schema lowers maxLength from 99 to 36: " +
			"data of the old schema may violate it (subjects/shop.order_placed.v1-value/versions/1:7:36); keep maxLength and check the tighter " +
			"bound where the event is created: write maxLength: 99; or release the change as a new event version, in a file of its own with " +
			"x-outbox: {version: 2, type: shop.order_placed.v2, …} [max-length-decreased]\n1 error (1 event, against http://" + host + ")\n"
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func userInfo(value string) func(string) string {
	return func(name string) string {
		if name == "SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO" {
			return value
		}
		return ""
	}
}

// No error and no report has the password, whatever a server does and in whatever way
// the address is wrong.
func TestCheckKeepsThePassword(t *testing.T) {
	t.Parallel()
	const user, password = "ann", "p@ss/w%rd:é+ x"
	const escaped = "p%40ss%2Fw%25rd%3A%C3%A9%2B%20x"
	forms := []string{
		password, escaped, "p%40ss%2Fw%25rd%3A%C3%A9%2B+x", "p@ss", "w%rd", "p%40ss",
		base64.StdEncoding.EncodeToString([]byte(user + ":" + password)), base64.StdEncoding.EncodeToString([]byte(password)),
	}
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect to another host was followed, with the header %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	for name, handler := range map[string]http.HandlerFunc{
		"refused":          answer(401, `{"error_code": 40101, "message": "no user `+user+` with `+password+`"}`),
		"forbidden":        answer(403, password),
		"failing":          answer(500, `{"error_code": 50001, "message": "`+password+` and `+escaped+`"}`),
		"failing in plain": answer(502, "<html>"+password),
		"echoing": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, r.Header.Get("Authorization"))
		},
		"no JSON":         answer(200, password),
		"another subject": answer(404, `{"error_code": 40499, "message": "`+password+`"}`),
		"endless":         answer(200, strings.Repeat(password, 2<<20)),
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, password)
		},
		"hanging up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"redirecting": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/"+escaped, http.StatusFound)
		},
		"redirecting in a circle": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			host := strings.TrimPrefix(server.URL, "http://")
			noLeak(t, forms, "http://"+user+":"+escaped+"@"+host)
		})
	}
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	for _, address := range []string{
		"http://ann:" + escaped + "@" + strings.TrimPrefix(server.URL, "http://"), // no server listens
		"http://ann:" + password + "@example.com",                                 // no address
		"http://ann:" + escaped + "@", "https:ann:" + escaped + "@example.com", "ftp://ann:" + escaped + "@example.com/",
		"http:/ann:" + escaped + "@example.com", "ann:" + escaped + "@example.com", "ann:" + password + "@example.com:8081",
		"HTTP://ann:" + escaped + "@[::1", "http://ann:" + escaped + "@example.com:port",
	} {
		noLeak(t, forms, address)
	}
}

// Passwords with all characters that can split an address in the wrong place, correctly
// encoded and as people write them. Their parts are not in any output by chance.
func TestCheckKeepsAwkwardPasswords(t *testing.T) {
	t.Parallel()
	passwords := []string{
		"Kw4zq%zzVx9rt", "Kw4zq%41Vx9rt", "kw4zqdb.invalid:5432", "12345/Vx9rtJm2yb", "12345#Vx9rtJm2yb", "12345?Vx9rtJm2yb", "12345@Vx9rt/Jm2yb",
		"Kw4zq?a=Vx9rt&Jm2yb", "https://Kw4zq:Vx9rt@Jm2yb", "Kw4zqпарольVx9rt", "Kw4zq\xffVx9rt", strings.Repeat("Kw4zqVx9rtJm2yb", 150), "Kw4zqVx9rtJm2yb",
	}
	for _, c := range `@:/?#%&=+ '"\;,|<>^[]{}` + "`\n\t$" {
		passwords = append(passwords, strings.Join([]string{"Kw4zq", "Vx9rt", "Jm2yb"}, string(c)), string(c)+"Kw4zqVx9rt"+string(c))
	}
	// It repeats the credentials in an error, all of them or the beginning.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "%s %s %.180s", strings.Repeat("-", len(password)%150), password, password)
	}))
	t.Cleanup(server.Close)
	const some = 8 // with -short, every eighth
	for i, password := range passwords {
		if testing.Short() && i%some != 0 {
			continue
		}
		t.Run(fmt.Sprintf("%.40q", password), func(t *testing.T) {
			t.Parallel()
			parts := []string{"Kw4z", "kw4z", "Vx9r", "Jm2y", "пароль"}
			escaped := strings.ReplaceAll(url.QueryEscape(password), "+", "%20")
			for _, host := range []string{strings.TrimPrefix(server.URL, "http://"), "127.0.0.1:1"} {
				for _, written := range []string{escaped, password} {
					for _, scheme := range []string{"http://", "http:/", "http:", "HTTPS://", "htps://", ""} {
						noLeak(t, parts, scheme+"ann:"+written+"@"+host)
					}
				}
				r := &repo{t, t.TempDir()}
				r.write("outboxgen.yaml", project)
				r.write("schemas/order_placed.v1.yaml", placed)
				for _, info := range []string{"ann:" + password, password} {
					_, err := r.check("http://"+host, func(c *generator.CheckConfig) { c.Env = userInfo(info) })
					for _, part := range parts {
						if err == nil || strings.Contains(err.Error(), part) {
							t.Errorf("the password shows as %q: %v", part, err)
						}
					}
				}
			}
		})
	}
}

// noLeak runs check with a registry that answers wrongly, and fails if a part of the
// password is shown.
func noLeak(t *testing.T, forms []string, address string) {
	t.Helper()
	r := &repo{t, t.TempDir()}
	r.write("outboxgen.yaml", project)
	r.write("schemas/order_placed.v1.yaml", placed)
	result, err := r.check(address)
	var said strings.Builder
	if err == nil {
		t.Errorf("%s: no error", address)
		for _, format := range generator.CheckFormats() {
			if err := result.Write(&said, format, generator.CheckReportOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	fmt.Fprintf(&said, "%v %+v %#v", err, err, err)
	for _, form := range forms {
		if strings.Contains(said.String(), form) {
			t.Errorf("the password shows as %q: %s", form, said.String())
		}
	}
	t.Log(err)
}
