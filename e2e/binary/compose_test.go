package binary

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// composeFile is what the tests read of a compose file.
type composeFile struct {
	Services map[string]struct {
		Image string
		Build struct {
			Context, Dockerfile string
			Args                map[string]string
		}
		StopGracePeriod string `yaml:"stop_grace_period"`
		Environment     map[string]string
		Secrets         []string
		Volumes         []string
		Networks        []string
		Ports           []string
		DependsOn       yaml.Node `yaml:"depends_on"`
		Healthcheck     struct{ Test []string }
		ReadOnly        bool     `yaml:"read_only"`
		CapDrop         []string `yaml:"cap_drop"`
	}
	Secrets  map[string]struct{ File string }
	Networks map[string]any
	Volumes  map[string]any
}

// readDeploy returns a file of deploy/.
func readDeploy(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// keysOf returns the names in a list or a map of YAML.
func keysOf(n yaml.Node) (all []string) {
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i < len(n.Content); i += step {
		all = append(all, n.Content[i].Value)
	}
	return all
}

// Both compose files name what exists: services, secrets, volumes, networks, files, variables and
// ports. The image is that of the Containerfile.
func TestComposeFilesNameWhatExists(t *testing.T) {
	t.Parallel()
	image := readContainerfile(t)
	for name, wantNodes := range map[string][]string{"compose.yaml": {"shop"}, "compose.postgres.yaml": {"shop1", "shop2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c composeFile
			if err := yaml.Unmarshal([]byte(readDeploy(t, name)), &c); err != nil {
				t.Fatal(err)
			}
			var nodes []string
			for service, s := range c.Services {
				for _, secret := range s.Secrets {
					if _, ok := c.Secrets[secret]; !ok {
						t.Errorf("%s uses the secret %s, which is not defined", service, secret)
					}
				}
				for _, network := range s.Networks {
					if _, ok := c.Networks[network]; !ok {
						t.Errorf("%s is in the network %s, which is not defined", service, network)
					}
				}
				for _, volume := range s.Volumes {
					source, _, _ := strings.Cut(volume, ":")
					if _, ok := c.Volumes[source]; !ok && !fileExists(source) {
						t.Errorf("%s mounts %s, which is no volume and no file", service, source)
					}
				}
				for _, other := range keysOf(s.DependsOn) {
					o, ok := c.Services[other]
					if !ok {
						t.Errorf("%s depends on %s, which is no service", service, other)
					} else if !slices.ContainsFunc(s.Networks, func(n string) bool { return slices.Contains(o.Networks, n) }) {
						t.Errorf("%s depends on %s and reaches it by no network", service, other)
					}
				}
				for variable, value := range s.Environment {
					if secret, ok := strings.CutPrefix(value, "/run/secrets/"); ok && !slices.Contains(s.Secrets, secret) {
						t.Errorf("%s: %s names the secret %s, which it does not get", service, variable, secret)
					}
				}
				if s.Build.Dockerfile == "" {
					continue
				}
				nodes = append(nodes, service)
				// The path is relative to the folder of the compose file.
				if !fileExists(filepath.Join(s.Build.Context, s.Build.Dockerfile)) {
					t.Errorf("%s is built from %s, which does not exist", service, s.Build.Dockerfile)
				}
				for arg := range s.Build.Args {
					if !slices.Contains(image["ARG"], arg) {
						t.Errorf("%s builds with %s, which the Containerfile does not know", service, arg)
					}
				}
				if !slices.Contains(s.Secrets, "h5pay.env") || !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || len(s.Ports) > 0 {
					t.Errorf("%s has too many rights, or no settings", service)
				}
				if grace, err := strconv.Atoi(strings.TrimSuffix(s.StopGracePeriod, "s")); err != nil || grace <= stopSeconds(t) {
					t.Errorf("%s: stop_grace_period is %q, and the server takes up to %d s", service, s.StopGracePeriod, stopSeconds(t))
				}
			}
			slices.Sort(nodes)
			if !slices.Equal(nodes, wantNodes) {
				t.Errorf("the nodes are %q", nodes)
			}
			proxy := c.Services["proxy"]
			checkCaddyfile(t, proxy.Environment, nodes, image["EXPOSE"][0])
			if !slices.Equal(proxy.Ports, []string{"80:80", "443:443", "443:443/udp"}) {
				t.Errorf("the proxy has the ports %q", proxy.Ports)
			}
			if db, ok := c.Services["database"]; ok {
				if !slices.Contains(db.Healthcheck.Test, db.Environment["POSTGRES_USER"]) || !slices.Contains(db.Healthcheck.Test, db.Environment["POSTGRES_DB"]) {
					t.Errorf("the check of the database is %q", db.Healthcheck.Test)
				}
				if want := "postgres://" + db.Environment["POSTGRES_USER"] + ":"; !strings.Contains(readDeploy(t, name), want) {
					t.Errorf("no URL begins with %s", want)
				}
				if slices.Contains(db.Networks, "front") {
					t.Error("the database is in the network of the proxy")
				}
			}
		})
	}
}

// checkCaddyfile checks that each variable of the Caddyfile has a value, and that the proxy reaches
// each node at its port.
func checkCaddyfile(t *testing.T, environment map[string]string, nodes []string, port string) {
	t.Helper()
	text := readDeploy(t, "Caddyfile")
	upstreams := ""
	for _, m := range regexp.MustCompile(`\{\$([A-Z_]+)(?::([^}]*))?\}`).FindAllStringSubmatch(text, -1) {
		value, ok := environment[m[1]]
		if !ok && m[2] == "" {
			t.Errorf("the Caddyfile needs %s, which the proxy does not get", m[1])
		}
		if value == "" {
			value = m[2]
		}
		if m[1] == "SHOP_UPSTREAM" {
			upstreams = value
		}
	}
	var want []string
	for _, node := range nodes {
		want = append(want, node+":"+port)
	}
	if !slices.Equal(strings.Fields(upstreams), want) {
		t.Errorf("the proxy sends calls to %q, want %q", upstreams, want)
	}
	for _, line := range []string{"lb_try_duration 10s", "lb_retry_match", "request_buffers"} {
		if !strings.Contains(text, line) {
			t.Errorf("the Caddyfile has no %s: a call to a node that stops fails", line)
		}
	}
}

// readContainerfile returns the arguments of the instructions of the Containerfile, and checks that
// its files and the command exist.
func readContainerfile(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for line := range strings.Lines(readDeploy(t, "Containerfile")) {
		if instruction, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok && instruction != "#" {
			all[instruction] = append(all[instruction], rest)
		}
	}
	env := map[string]string{}
	for _, setting := range strings.Fields(all["ENV"][0]) {
		name, value, _ := strings.Cut(setting, "=")
		env[name] = value
	}
	if len(all["EXPOSE"]) != 1 || env["LISTEN"] != ":"+all["EXPOSE"][0] {
		t.Errorf("the server listens on %q, and the image exposes %q", env["LISTEN"], all["EXPOSE"])
	}
	if volume := all["VOLUME"][0]; !strings.HasPrefix(env["DB_FILE"], volume+"/") || all["WORKDIR"][0] != volume {
		t.Errorf("the database %s is not in the volume %s", env["DB_FILE"], volume)
	}
	for _, line := range all["COPY"] {
		fields := strings.Fields(line)
		if source := fields[len(fields)-2]; source != "${BINARY}" && !fileExists(filepath.Join("..", source)) {
			t.Errorf("the image copies %s, which does not exist", source)
		}
	}
	if all["ENTRYPOINT"][0] != `["/h5pay"]` || all["CMD"][0] != `["serve", "-config", "/run/secrets/h5pay.env"]` {
		t.Errorf("the image runs %s %s", all["ENTRYPOINT"], all["CMD"])
	}
	return all
}

// fileExists reports whether a file exists, by its path from deploy/.
func fileExists(path string) bool {
	_, err := os.Stat(filepath.Join("../../deploy", path))
	return err == nil
}

// The guide puts each file where the unit looks for it, and every file of deploy/ that it names
// exists. Prometheus reads the address that the settings name.
func TestGuideAndUnitNameTheSameFiles(t *testing.T) {
	t.Parallel()
	unit := readDeploy(t, "h5pay.service")
	setting := func(name string) string {
		t.Helper()
		m := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(unit)
		if m == nil {
			t.Fatalf("the unit has no %s", name)
		}
		return m[1]
	}
	binary, _, _ := strings.Cut(setting("ExecStart"), " ")
	credential, config, _ := strings.Cut(setting("LoadCredential"), ":")
	if !strings.HasSuffix(setting("ExecStart"), " serve -config %d/"+credential) {
		t.Errorf("the unit starts %s, and its settings are %s", setting("ExecStart"), credential)
	}
	if setting("WorkingDirectory") != "/var/lib/"+setting("StateDirectory") {
		t.Errorf("the unit works in %s", setting("WorkingDirectory"))
	}
	for _, name := range []string{"../../docs/deploy.md", "../../docs/deploy.zh-CN.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{binary, config, setting("WorkingDirectory") + "/h5pay.db"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not name %s", name, want)
			}
		}
		for _, file := range regexp.MustCompile(`deploy/([A-Za-z0-9._]+[a-z])`).FindAllStringSubmatch(string(text), -1) {
			if made := slices.Contains([]string{"h5pay.env", "database_url", "database_password"}, file[1]); !made && !fileExists(file[1]) && !fileExists(strings.TrimSuffix(file[1], ".")) {
				t.Errorf("%s names deploy/%s, which does not exist", name, file[1])
			}
		}
	}
	var prometheus struct {
		RuleFiles     []string `yaml:"rule_files"`
		ScrapeConfigs []struct {
			JobName       string                       `yaml:"job_name"`
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(readDeploy(t, "prometheus.yaml")), &prometheus); err != nil {
		t.Fatal(err)
	}
	for _, rules := range prometheus.RuleFiles {
		if !fileExists(rules) {
			t.Errorf("Prometheus reads %s, which does not exist", rules)
		}
	}
	metrics := regexp.MustCompile(`METRICS_LISTEN="(.*)"`).FindStringSubmatch(readDeploy(t, "h5pay.env.example"))
	if scrape := prometheus.ScrapeConfigs; len(scrape) != 1 || scrape[0].JobName != "h5pay" || scrape[0].StaticConfigs[0].Targets[0] != metrics[1] {
		t.Errorf("Prometheus reads %+v, and the server listens on %s", prometheus.ScrapeConfigs, metrics[1])
	}
}
