package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// tree writes files and returns their root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(root, name), text)
	}
	return root
}

func portIs(port string) string { return "[drivers:transport:wsgi]\nport = " + port + "\n" }

func TestSearch(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
		port  int64
	}{
		"nothing": {nil, nil, 8888},
		"the first zaqar.conf counts": {
			map[string]string{"b/zaqar.conf": portIs("2"), "c/zaqar.conf": portIs("3")},
			[]string{"b/zaqar.conf"}, 2,
		},
		"programs' files come after it, from anywhere": {
			map[string]string{"c/zaqar.conf": portIs("1"), "a/zaqar-server.conf": portIs("2"), "b/zaqar-queues.conf": portIs("3")},
			[]string{"c/zaqar.conf", "a/zaqar-server.conf", "b/zaqar-queues.conf"}, 3,
		},
		"directories come after files, their files in the order of names": {
			map[string]string{
				"c/zaqar.conf": portIs("1"), "c/zaqar.conf.d/20.conf": portIs("3"), "c/zaqar.conf.d/10.conf": portIs("2"),
				"c/zaqar.conf.d/notes.txt": "not read", "c/zaqar.conf.d/.hidden.conf": "not read",
			},
			[]string{"c/zaqar.conf", "c/zaqar.conf.d/10.conf", "c/zaqar.conf.d/20.conf"}, 3,
		},
		"the first directory counts": {
			map[string]string{"a/zaqar.conf.d/x.conf": portIs("2"), "b/zaqar.conf.d/y.conf": portIs("3"), "b/zaqar-server.conf.d/z.conf": portIs("4")},
			[]string{"a/zaqar.conf.d/x.conf", "b/zaqar-server.conf.d/z.conf"}, 4,
		},
		"a directory named like a file is no file": {
			map[string]string{"a/zaqar.conf/x": "", "b/zaqar.conf": portIs("2")},
			[]string{"b/zaqar.conf"}, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, c.files)
			var search []string
			for _, d := range []string{"a", "b", "c"} {
				search = append(search, filepath.Join(root, d))
			}
			got, r := Load(Sources{Search: search})
			if len(r) > 0 {
				t.Fatalf("%s", r)
			}
			var names []string
			for _, f := range got.Files {
				names = append(names, strings.TrimPrefix(f, root+"/"))
			}
			if d := cmp.Diff(c.want, names); d != "" {
				t.Error(d)
			}
			if got.Options.HTTP.Port != c.port {
				t.Errorf("port %d, want %d", got.Options.HTTP.Port, c.port)
			}
		})
	}
}

func TestCommandLineReplacesTheSearch(t *testing.T) {
	root := tree(t, map[string]string{
		"etc/zaqar.conf": portIs("1"), "etc/zaqar.conf.d/x.conf": portIs("2"),
		"f.conf": portIs("3"), "g.conf": "[DEFAULT]\ndebug = true", "d/y.conf": portIs("4"),
	})
	at := func(name string) string { return filepath.Join(root, name) }
	for name, c := range map[string]struct {
		given []Source
		want  []string
		port  int64
	}{
		"files replace files, not directories": {[]Source{{at("f.conf"), false}}, []string{at("etc/zaqar.conf.d/x.conf"), at("f.conf")}, 3},
		"directories replace directories":      {[]Source{{at("d"), true}}, []string{at("etc/zaqar.conf"), at("d/y.conf")}, 4},
		"their common order counts":            {[]Source{{at("d"), true}, {at("f.conf"), false}}, []string{at("d/y.conf"), at("f.conf")}, 3},
		"later files win":                      {[]Source{{at("f.conf"), false}, {at("d"), true}, {at("g.conf"), false}}, []string{at("f.conf"), at("d/y.conf"), at("g.conf")}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			got, r := Load(Sources{Search: []string{at("etc")}, Given: c.given})
			if len(r.Errors()) > 0 {
				t.Fatalf("%s", r)
			}
			if d := cmp.Diff(c.want, got.Files); d != "" {
				t.Error(d)
			}
			if got.Options.HTTP.Port != c.port {
				t.Errorf("port %d, want %d", got.Options.HTTP.Port, c.port)
			}
		})
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	_, r := Load(Sources{Given: []Source{{none, false}}})
	only(t, r, Error, none, "no such file")
	_, r = Load(Sources{Given: []Source{{none, true}}})
	only(t, r, Error, none, "no such file")
	if os.Getuid() != 0 {
		secret := write(t, filepath.Join(t.TempDir(), "s.conf"), "")
		if err := os.Chmod(secret, 0); err != nil {
			t.Fatal(err)
		}
		_, r = Load(Sources{Given: []Source{{secret, false}}})
		only(t, r, Error, secret, "permission denied")
	}
}

func TestPrecedence(t *testing.T) {
	src := sourcesOf(t, portIs("1"))
	flag := Flag{"--port", "drivers:transport:wsgi", "port", "3"}
	for _, c := range []struct {
		environ []string
		flags   []Flag
		want    int64
		origin  string
	}{
		{nil, nil, 1, src.Given[0].Path + ":2"},
		{[]string{"OS_DRIVERS_TRANSPORT_WSGI__PORT=2"}, nil, 2, "environment variable OS_DRIVERS_TRANSPORT_WSGI__PORT"},
		{[]string{"OS_DRIVERS:TRANSPORT:WSGI__PORT=2"}, nil, 2, "environment variable OS_DRIVERS:TRANSPORT:WSGI__PORT"},
		{[]string{"OS_DRIVERS_TRANSPORT_WSGI__PORT=2"}, []Flag{flag}, 3, "flag --port"},
	} {
		src.Environ, src.Flags = c.environ, c.flags
		got, r := Load(src)
		if len(r) > 0 {
			t.Fatalf("%s", r)
		}
		if got.Options.HTTP.Port != c.want {
			t.Errorf("environment %v, flags %v: port %d, want %d", c.environ, c.flags, got.Options.HTTP.Port, c.want)
		}
		if o := got.value(t, "drivers:transport:wsgi", "port").Origin.String(); o != c.origin {
			t.Errorf("origin %q, want %q", o, c.origin)
		}
	}
}

func TestEnvironment(t *testing.T) {
	c, r := Load(Sources{Environ: []string{
		"OS_DEFAULT__DEBUG=true",
		"OS_DRIVERS__MESSAGE_STORE=memory",
		"OS_TRANSPORT__MAX_MESSAGE_TTL=7200",
		"OS_DRIVERS_MESSAGE_STORE_EMBEDDED__DATA_DIR=/else",
		"OS_AUTH_URL=http://keystone", // of clients
		"PATH=/bin", "OS_", "ODD",
	}})
	if len(r) > 0 {
		t.Fatalf("%s", r)
	}
	if !c.value(t, "DEFAULT", "debug").isTrue() || c.Options.Store.Driver != "memory" ||
		c.Options.Broker.MaxMessageTTL != 7200 || c.Options.Store.Dir != "/else" {
		t.Errorf("%+v", c.Options)
	}
	t.Run("mistakes", func(t *testing.T) {
		_, r := Load(Sources{Environ: []string{"OS_DEFAULT__DEBUG=loud"}})
		only(t, r, Error, "environment variable OS_DEFAULT__DEBUG", "[DEFAULT] debug", `"loud" is not allowed`)
		_, r = Load(Sources{Environ: []string{"OS_TRANSPORT__MAX_MESAGE_TTL=1"}})
		only(t, r, Warning, "environment variable OS_TRANSPORT__MAX_MESAGE_TTL", "names no option")
	})
	t.Run("substitution", func(t *testing.T) {
		c, _ := Load(Sources{Environ: []string{"OS_DEFAULT__LOG_FILE=$log_dir/x", "OS_DEFAULT__LOG_DIR=/logs"}})
		if c.Log.File != "/logs/x" {
			t.Errorf("log file %q", c.Log.File)
		}
	})
}

func (v Value) isTrue() bool { return v.Text == "True" }

func TestDataDir(t *testing.T) {
	for _, c := range []struct {
		uid       int
		home, xdg string
		want      string
	}{
		{0, "/root", "/x", "/var/lib/zaqar"},
		{1000, "/home/u", "", "/home/u/.local/share/zaqar"},
		{1000, "/home/u", "/x", "/x/zaqar"},
		{1000, "/home/u", "relative", "/home/u/.local/share/zaqar"},
		{1000, "", "", "zaqar-data"},
	} {
		if got := dataDir(c.uid, c.home, c.xdg); got != c.want {
			t.Errorf("dataDir(%d, %q, %q) = %q, want %q", c.uid, c.home, c.xdg, got, c.want)
		}
	}
}

func TestSystem(t *testing.T) {
	t.Setenv("HOME", "/home/u")
	t.Setenv("OS_DEFAULT__DEBUG", "true")
	s := System()
	if d := cmp.Diff([]string{"/home/u/.zaqar", "/home/u", "/etc/zaqar", "/etc"}, s.Search); d != "" {
		t.Error(d)
	}
	for dirs, want := range map[string][]string{"/a:/b": {"/a", "/b"}, "": {}} {
		t.Setenv(searchVariable, dirs)
		if d := cmp.Diff(want, System().Search, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%q: %s", dirs, d)
		}
	}
	c, _ := Load(Sources{Environ: s.Environ})
	if !c.value(t, "DEFAULT", "debug").isTrue() {
		t.Error("the environment was not read")
	}
}
