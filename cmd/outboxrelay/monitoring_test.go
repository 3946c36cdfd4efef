package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/cmd/internal/freeport"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/monitoring"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

const monitoringFiles = "../../docs/monitoring"

// alertRule is a rule of alerts.yaml.
type alertRule struct {
	Alert       string
	Expr        string
	For         string
	Labels      struct{ Severity string }
	Annotations struct {
		Summary, Description string
		RunbookURL           string `yaml:"runbook_url"`
	}
}

func alertRules(t *testing.T) []alertRule {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(monitoringFiles, "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []alertRule
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	var rules []alertRule
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules
}

// alertsTable lists the alerts in Markdown.
func alertsTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| alert | severity | fires if | what it means, and what to do |\n| --- | --- | --- | --- |\n")
	for _, r := range alertRules(t) {
		condition := "`" + r.Expr + "`"
		if r.For != "" {
			condition += " for " + r.For
		}
		_, anchor, _ := strings.Cut(r.Annotations.RunbookURL, "#")
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s [Runbook](runbook.md#%s) |\n", r.Alert, r.Labels.Severity, condition,
			strings.ReplaceAll(r.Annotations.Description, `"`, "`"), anchor)
	}
	return b.String()
}

// docs/monitoring/dashboard.json is made of the panels of package monitoring.
func TestTheDashboardIsGenerated(t *testing.T) {
	t.Parallel()
	want, err := monitoring.Dashboard(monitoring.Rows())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(monitoringFiles, "dashboard.json")
	if *update {
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/monitoring/dashboard.json, which -update writes (-want +got):\n%s", diff)
	}
}

// queries returns the expressions of the dashboard, with the variables replaced.
func queries() []string {
	replace := strings.NewReplacer("$outbox", ".*", "$group", ".*", "$__rate_interval", "1m")
	var exprs []string
	for _, row := range monitoring.Rows() {
		for _, p := range row.Panels {
			for _, q := range p.Queries {
				exprs = append(exprs, replace.Replace(q.Expr))
			}
		}
	}
	return exprs
}

var (
	ourMetric = regexp.MustCompile(`\boutbox_[a-z_]+`)
	labelList = regexp.MustCompile(`\b(?:by|on) \(([a-z, ]+)\)`)
)

// Alerts and dashboard use no metric and no label that is not exported, and the dashboard
// shows each metric that is.
func TestAlertsAndDashboardUseWhatIsExported(t *testing.T) {
	t.Parallel()
	exported, labels := map[string]bool{}, map[string][]string{}
	for _, family := range slices.Concat(outboxFamilies(t, relayMetrics(t)), outboxFamilies(t, consumerMetrics())) {
		name := family.GetName()
		if family.GetType() == dto.MetricType_HISTOGRAM {
			name += "_bucket"
		}
		exported[name], labels[name] = false, []string{"le", "instance"}
		for _, l := range family.GetMetric()[0].GetLabel() {
			labels[name] = append(labels[name], l.GetName())
		}
	}
	check := func(where, expr string) {
		for _, name := range ourMetric.FindAllString(expr, -1) {
			if _, ok := exported[name]; !ok {
				t.Errorf("%s uses %s, which is not exported", where, name)
				continue
			}
			for _, list := range labelList.FindAllStringSubmatch(expr, -1) {
				for label := range strings.SplitSeq(list[1], ", ") {
					if !slices.Contains(labels[name], label) {
						t.Errorf("%s uses the label %s, which %s does not have", where, label, name)
					}
				}
			}
		}
	}
	for _, r := range alertRules(t) {
		check("the alert "+r.Alert, r.Expr)
	}
	for _, expr := range queries() {
		check("the dashboard", expr)
		for _, name := range ourMetric.FindAllString(expr, -1) {
			exported[name] = true
		}
	}
	for name, shown := range exported {
		if !shown {
			t.Errorf("the dashboard does not show %s: add it to cmd/outboxrelay/internal/monitoring/panels.go", name)
		}
	}
}

// fromPrometheus returns a program of Prometheus that .ci/services has fetched, or that is
// on the machine.
func fromPrometheus(t *testing.T, program string) string {
	t.Helper()
	file := filepath.Join(os.Getenv("OUTBOXGEN_SERVICES"), "prometheus", "usr", "bin", program)
	if _, err := os.Stat(file); err == nil {
		return file
	}
	file, err := exec.LookPath(program)
	if err != nil {
		const missing = "no Prometheus: run .ci/services prometheus"
		if slices.Contains(strings.Split(os.Getenv("OUTBOXGEN_REQUIRE"), ","), "prometheus") {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return file
}

// The alert rules have tests of their own, which Prometheus runs. They fire and stay silent
// as they should.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	promtool := fromPrometheus(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = monitoringFiles
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	tests, err := os.ReadFile(filepath.Join(monitoringFiles, "alerts_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range alertRules(t) {
		if !bytes.Contains(tests, []byte(r.Alert)) {
			t.Errorf("alerts_test.yaml does not test %s", r.Alert)
		}
	}
}

// promServer is a Prometheus that reads a relay and a consumer.
type promServer struct{ address string }

func startPrometheus(t *testing.T, targets ...*httptest.Server) *promServer {
	t.Helper()
	program := fromPrometheus(t, "prometheus")
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	rules, err := filepath.Abs(filepath.Join(monitoringFiles, "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, target := range targets {
		names = append(names, strings.TrimPrefix(target.URL, "http://"))
	}
	config, err := yaml.Marshal(map[string]any{
		"global":         map[string]any{"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
		"rule_files":     []string{rules},
		"scrape_configs": []any{map[string]any{"job_name": "outbox", "static_configs": []any{map[string]any{"targets": names}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "prometheus.yml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "--config.file", file,
		"--storage.tsdb.path", filepath.Join(folder, "data"), "--web.listen-address", "127.0.0.1:"+port)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it ends by a signal
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return &promServer{"http://127.0.0.1:" + port}
}

// get asks Prometheus's API. It returns false as long as the server does not answer.
func (p *promServer) get(t *testing.T, path string, data any) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return false
	}
	if err := json.Unmarshal(body, &struct{ Data any }{data}); err != nil {
		t.Fatalf("%s: %v\n%s", path, err, body)
	}
	return true
}

// A real Prometheus reads a real relay, and the metrics of a consumer. It can evaluate each
// alert rule, and each query of the dashboard has a result.
func TestPrometheusReadsARelayAndAConsumer(t *testing.T) {
	t.Parallel()
	fromPrometheus(t, "prometheus")
	pg := services.Postgres(t)
	migrate(t, pg.URL)
	relayed := startFleet(t, fmt.Sprintf("sink: stdout\noutboxes:\n  - {name: shop, database_url: %q}\n", pg.URL))
	until(t, "the outbox is led", func() bool { return relayed.leads("shop") })
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(relayed.fleet).ServeHTTP(w, r) }))
	t.Cleanup(relay.Close)
	consumer := httptest.NewServer(promhttp.HandlerFor(consumerMetrics(), promhttp.HandlerOpts{}))
	t.Cleanup(consumer.Close)
	// A relay has this metric only after an error.
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `outbox_relay_errors_total{outbox="shop",where="send",class="relay"} 1`)
	}))
	t.Cleanup(failing.Close)
	p := startPrometheus(t, relay, consumer, failing)

	until(t, "each query of the dashboard has a result", func() bool {
		for _, expr := range queries() {
			var data struct{ Result []any }
			if !p.get(t, "/api/v1/query?query="+url.QueryEscape(expr), &data) || len(data.Result) == 0 {
				return false
			}
		}
		return true
	})
	var up struct{ Result []any }
	if !p.get(t, "/api/v1/query?query="+url.QueryEscape("up == 1"), &up) || len(up.Result) != 3 {
		t.Errorf("Prometheus reads %d of 3 targets", len(up.Result))
	}
	type state struct{ Name, Health, LastError string }
	want := map[string]state{}
	for _, r := range alertRules(t) {
		want[r.Alert] = state{r.Alert, "ok", ""}
	}
	got := map[string]state{}
	until(t, "each rule was evaluated", func() bool {
		var data struct{ Groups []struct{ Rules []state } }
		if !p.get(t, "/api/v1/rules", &data) {
			return false
		}
		for _, g := range data.Groups {
			for _, r := range g.Rules {
				if r.Health == "unknown" {
					return false
				}
				got[r.Name] = r
			}
		}
		return len(got) > 0
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the rules in Prometheus (-want +got):\n%s", diff)
	}
}
