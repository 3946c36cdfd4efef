package main

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

const deploymentFiles = "../../docs/deployment"

// deployed returns a file of docs/deployment.
func deployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploymentFiles, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// deployedYAML reads a YAML file of docs/deployment.
func deployedYAML(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(deployed(t, name)), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// pod is the part of the Deployment that has to fit the relay.
type pod struct {
	TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsUser  int `yaml:"runAsUser"`
		RunAsGroup int `yaml:"runAsGroup"`
		FSGroup    int `yaml:"fsGroup"`
	} `yaml:"securityContext"`
	Containers []struct {
		Args  []string
		Env   []struct{ Name, Value string }
		Ports []struct {
			ContainerPort int `yaml:"containerPort"`
		}
		LivenessProbe  probe `yaml:"livenessProbe"`
		ReadinessProbe probe `yaml:"readinessProbe"`
		Resources      struct{ Limits struct{ Memory string } }
		VolumeMounts   []struct {
			Name      string
			MountPath string `yaml:"mountPath"`
			SubPath   string `yaml:"subPath"`
		} `yaml:"volumeMounts"`
	}
	Volumes []struct {
		Name      string
		ConfigMap struct{ Name string } `yaml:"configMap"`
		Secret    struct {
			SecretName string `yaml:"secretName"`
		}
	}
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

func readPod(t *testing.T) pod {
	t.Helper()
	var file struct {
		Spec struct{ Template struct{ Spec pod } }
	}
	deployedYAML(t, "kubernetes/base/deployment.yaml", &file)
	if len(file.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("the Deployment has %d containers, want 1", len(file.Spec.Template.Spec.Containers))
	}
	return file.Spec.Template.Spec
}

const mountedSecrets = "/etc/outboxrelay/secrets/"

var inMountedSecrets = regexp.MustCompile(mountedSecrets + `([\w.-]+)`)

// The relay can read each settings file, once the secrets are mounted. The files of secrets
// are those that the example tells to create.
func TestDeployedSettings(t *testing.T) {
	t.Parallel()
	authority := newCertificates(t).authority
	certificate, err := os.ReadFile(authority)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ outboxes, secrets []string }{
		"systemd/outboxrelay.yaml":            {outboxes: []string{"shop"}},
		"kubernetes/base/outboxrelay.yaml":    {[]string{"shop"}, []string{"database-password", "postgres-ca.crt"}},
		"kubernetes/example/outboxrelay.yaml": {[]string{"shop", "billing"}, []string{"billing-database-password", "kafka-ca.crt", "postgres-ca.crt", "sasl-password", "shop-database-password"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mounted := t.TempDir() + "/"
			text := deployed(t, name)
			var secrets []string
			for _, m := range inMountedSecrets.FindAllStringSubmatch(text, -1) {
				if slices.Contains(secrets, m[1]) {
					continue
				}
				secrets = append(secrets, m[1])
				content := []byte("a password")
				if filepath.Ext(m[1]) == ".crt" {
					content = certificate
				}
				if err := os.WriteFile(mounted+m[1], content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			slices.Sort(secrets)
			if diff := cmp.Diff(want.secrets, secrets); diff != "" {
				t.Errorf("secrets (-want +got):\n%s", diff)
			}
			c := configured(t, strings.ReplaceAll(text, mountedSecrets, mounted))
			process, err := c.process()
			if err != nil {
				t.Fatal(err)
			}
			if listen := process.text("listen"); name == "systemd/outboxrelay.yaml" && listen != "127.0.0.1:9464" || name != "systemd/outboxrelay.yaml" && listen != ":9464" {
				t.Errorf("it listens on %q", listen)
			}
			outboxes, err := c.outboxes(readOutbox)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, o := range outboxes {
				names = append(names, o.name)
			}
			if diff := cmp.Diff(want.outboxes, names); diff != "" {
				t.Errorf("outboxes (-want +got):\n%s", diff)
			}
		})
	}
	var overlay string
	for line := range strings.Lines(deployed(t, "kubernetes/example/kustomization.yaml")) {
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			overlay += strings.TrimSuffix(strings.TrimSpace(comment), "\\") + " "
		}
	}
	var created []string
	for _, m := range regexp.MustCompile(`--from-file=([\w.-]+)`).FindAllStringSubmatch(overlay, -1) {
		created = append(created, m[1])
	}
	slices.Sort(created)
	if diff := cmp.Diff([]string{"billing-database-password", "kafka-ca.crt", "postgres-ca.crt", "sasl-password", "shop-database-password"}, created); diff != "" {
		t.Errorf("the example creates other secrets than it uses (-used +created):\n%s", diff)
	}
}

// The Deployment fits the relay: its paths, ports, files and times.
func TestDeployedPod(t *testing.T) {
	t.Parallel()
	p := readPod(t)
	c := p.Containers[0]

	f, err := newFleet(nil, slog.New(slog.DiscardHandler), io.Discard, &secret.Redactor{})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path, podMonitorPath(t)} {
		answer := httptest.NewRecorder()
		handler(f).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if answer.Code != http.StatusOK && answer.Code != http.StatusServiceUnavailable {
			t.Errorf("the relay answers %s with %d", path, answer.Code)
		}
	}
	if live, ready := c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path; live != "/healthz" || ready != "/readyz" {
		t.Errorf("probes %s and %s: a relay that is not ready must not be restarted", live, ready)
	}
	if len(c.Ports) != 1 || c.Ports[0].ContainerPort != 9464 {
		t.Errorf("ports %v, want 9464, as in listen", c.Ports)
	}

	mounts := map[string]string{}
	for _, m := range c.VolumeMounts {
		mounts[m.Name] = m.MountPath + "/" + m.SubPath
	}
	if mounts["secrets"] != mountedSecrets {
		t.Errorf("the secrets are in %s, but the settings name files in %s", mounts["secrets"], mountedSecrets)
	}
	var kustomization struct {
		ConfigMapGenerator []struct {
			Name  string
			Files []string
		} `yaml:"configMapGenerator"`
	}
	deployedYAML(t, "kubernetes/base/kustomization.yaml", &kustomization)
	generated := kustomization.ConfigMapGenerator[0]
	if diff := cmp.Diff([]string{"run"}, c.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if p.Volumes[0].ConfigMap.Name != generated.Name {
		t.Errorf("the pod mounts the ConfigMap %s, but kustomize makes %s", p.Volumes[0].ConfigMap.Name, generated.Name)
	}

	checkShutdown(t, "terminationGracePeriodSeconds", time.Duration(p.TerminationGracePeriodSeconds)*time.Second)
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
	}
	// A variable, not a flag: the commands that an operator runs in the pod read it too.
	if want := mounts["config"] + generated.Files[0]; env["OUTBOXRELAY_CONFIG"] != want {
		t.Errorf("OUTBOXRELAY_CONFIG is %q, want %q", env["OUTBOXRELAY_CONFIG"], want)
	}
	checkMemory(t, env["GOMEMLIMIT"], c.Resources.Limits.Memory)
}

// podMonitorPath is the path that Prometheus reads.
func podMonitorPath(t *testing.T) string {
	t.Helper()
	var file struct {
		Spec struct {
			PodMetricsEndpoints []struct{ Path string } `yaml:"podMetricsEndpoints"`
		}
	}
	deployedYAML(t, "kubernetes/monitoring/podmonitor.yaml", &file)
	return file.Spec.PodMetricsEndpoints[0].Path
}

// The names of pods are the same everywhere: a selector that selects none is not an error
// anywhere.
func TestDeployedSelectors(t *testing.T) {
	t.Parallel()
	const label = "app.kubernetes.io/name: outboxrelay"
	want := map[string]int{ // how often each file has it
		"base/deployment.yaml":          5, // itself, selector, pods, two spreads
		"base/networkpolicy.yaml":       2,
		"base/poddisruptionbudget.yaml": 2,
		"base/serviceaccount.yaml":      1,
		"monitoring/podmonitor.yaml":    2,
	}
	got := map[string]int{}
	root := filepath.Join(deploymentFiles, "kubernetes")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if n := strings.Count(string(text), label); n > 0 {
			name, relErr := filepath.Rel(root, path)
			got[filepath.ToSlash(name)], err = n, errors.Join(err, relErr)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("uses of the label (-want +got):\n%s", diff)
	}
}

// The systemd unit fits the relay.
func TestDeployedUnit(t *testing.T) {
	t.Parallel()
	unit := map[string][]string{}
	for line := range strings.Lines(deployed(t, "systemd/outboxrelay.service")) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			unit[key] = append(unit[key], value)
		}
	}
	if diff := cmp.Diff([]string{"/usr/local/bin/outboxrelay run --config /etc/outboxrelay/outboxrelay.yaml"}, unit["ExecStart"]); diff != "" {
		t.Errorf("ExecStart (-want +got):\n%s", diff)
	}
	stop, err := time.ParseDuration(unit["TimeoutStopSec"][0])
	if err != nil {
		t.Fatal(err)
	}
	checkShutdown(t, "TimeoutStopSec", stop)
	credential, _, _ := strings.Cut(unit["LoadCredential"][0], ":")
	for _, assignment := range unit["Environment"] {
		name, value, _ := strings.Cut(assignment, "=")
		switch {
		case name == "GOMEMLIMIT":
			checkMemory(t, value, unit["MemoryMax"][0])
		case !slices.ContainsFunc(table, func(s setting) bool { return s.env() == name }):
			t.Errorf("the unit sets %s, which is no setting", name)
		case value != "%d/"+credential:
			t.Errorf("the unit sets %s to %s, but its credential is %s", name, value, credential)
		}
	}
}

// The runbook and the page about deploying name the places of the systemd unit and of the
// Kubernetes files.
func TestPagesNameTheDeployedPlaces(t *testing.T) {
	t.Parallel()
	value := func(pattern string) string {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(deployed(t, "systemd/outboxrelay.service"))
		if m == nil {
			t.Fatalf("the unit has nothing like %s", pattern)
		}
		return m[1]
	}
	var deployment struct{ Metadata struct{ Name string } }
	deployedYAML(t, "kubernetes/base/deployment.yaml", &deployment)
	places := []string{
		value(`--config (\S+)`), value(`LoadCredential=\w+:(\S+)`), value(`Environment=(\w+)=%d`),
		"deploy/" + deployment.Metadata.Name, "the Secret `" + readPod(t).Volumes[1].Secret.SecretName + "`",
	}
	for _, page := range []string{"runbook.md", "deploying.md"} {
		text, err := os.ReadFile(filepath.Join("../../docs", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range places {
			if !strings.Contains(string(text), place) {
				t.Errorf("docs/%s does not name %s", page, place)
			}
		}
	}
}

// The container file fits the Deployment.
func TestDeployedImage(t *testing.T) {
	t.Parallel()
	file := deployed(t, "Containerfile")
	p := readPod(t)
	user := strconv.Itoa(p.SecurityContext.RunAsUser) + ":" + strconv.Itoa(p.SecurityContext.RunAsGroup)
	for _, line := range []string{
		"USER " + user,
		"EXPOSE 9464",
		"ENV OUTBOXRELAY_LISTEN=:9464",
		`ENTRYPOINT ["/outboxrelay/outboxrelay"]`,
		`CMD ["run"]`,
		"STOPSIGNAL SIGTERM",
	} {
		if !strings.Contains(file, "\n"+line+"\n") {
			t.Errorf("the container file has no line %s", line)
		}
	}
	if p.SecurityContext.FSGroup != p.SecurityContext.RunAsGroup {
		t.Errorf("the group %d cannot read secrets of the group %d", p.SecurityContext.RunAsGroup, p.SecurityContext.FSGroup)
	}
}

// checkShutdown checks that the relay can hand over before it is killed: it takes up to
// drain_timeout, and two seconds for the HTTP server.
func checkShutdown(t *testing.T, name string, limit time.Duration) {
	t.Helper()
	at := slices.IndexFunc(table, func(s setting) bool { return s.name == "drain-timeout" })
	drain, err := time.ParseDuration(table[at].def)
	if err != nil {
		t.Fatal(err)
	}
	const spare = 10 * time.Second
	if limit < drain+spare {
		t.Errorf("%s is %s, want at least drain_timeout (%s) and %s", name, limit, drain, spare)
	}
}

// checkMemory checks that Go's memory limit is 80 to 90 % of the process's.
func checkMemory(t *testing.T, soft, hard string) {
	t.Helper()
	mib := func(text, unit string) int {
		n, err := strconv.Atoi(strings.TrimSuffix(text, unit))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return n
	}
	limit := mib(strings.TrimSuffix(hard, "i"), "M")
	if got := mib(soft, "MiB"); got*100 < limit*80 || got*100 > limit*90 {
		t.Errorf("GOMEMLIMIT is %s, want 80 to 90 %% of %s", soft, hard)
	}
}
