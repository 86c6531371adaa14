package proxies

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zaqar/internal/certtest"
	"zaqar/internal/need"
	"zaqar/internal/testlog"
	"zaqar/internal/testproc"
	"zaqar/internal/testwait"
)

// proxy is a kind of proxy.
type proxy struct {
	name string
	// start runs it before a server, with a certificate, on a port.
	start func(t *testing.T, port int, before string, pair certtest.Pair)
}

func proxies() []proxy { return []proxy{{"nginx", nginx}, {"haproxy", haproxy}} }

// sample reads a sample and puts other texts into it. Each must be there.
func sample(t *testing.T, name string, changes ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "packaging", name))
	if err != nil {
		t.Fatal(err)
	}
	s := string(text)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(s, changes[i]) {
			t.Fatalf("no %q in %s", changes[i], name)
		}
		s = strings.ReplaceAll(s, changes[i], changes[i+1])
	}
	return s
}

func nginx(t *testing.T, port int, before string, pair certtest.Pair) {
	t.Helper()
	program := need.Program(t, "nginx")
	dir := t.TempDir()
	cert, key := pair.Write(t, dir)
	site := sample(t, "nginx.conf",
		"listen 443 ssl http2;", fmt.Sprintf("listen 127.0.0.1:%d ssl http2;", port), "listen [::]:443 ssl http2;", "",
		"server 127.0.0.1:8888;", "server "+before+";",
		"/etc/ssl/zaqar/fullchain.pem", cert, "/etc/ssl/zaqar/privkey.pem", key)
	var temps strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temps, "%s_temp_path %s/%[1]s;\n", kind, dir)
	}
	conf := write(t, dir, "nginx.conf", fmt.Sprintf("daemon off;\nmaster_process off;\npid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%s%s}\n",
		dir, temps.String(), site))
	run(t, port, program, "-p", dir, "-e", "stderr", "-c", conf)
}

func haproxy(t *testing.T, port int, before string, pair certtest.Pair) {
	t.Helper()
	program := need.Program(t, "haproxy")
	dir := t.TempDir()
	both := write(t, dir, "both.pem", string(pair.Cert)+string(pair.Key))
	conf := write(t, dir, "haproxy.cfg", sample(t, "haproxy.cfg",
		"bind :443 ssl crt /etc/haproxy/zaqar.pem", fmt.Sprintf("bind 127.0.0.1:%d ssl crt %s", port, both),
		"server zaqar1 127.0.0.1:8888", "server zaqar1 "+before,
		"maxconn 50000", "maxconn 500"))
	run(t, port, program, "-db", "-f", conf)
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a proxy for the time of the test, and returns when it listens.
func run(t *testing.T, port int, program string, args ...string) {
	t.Helper()
	var out testlog.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = testproc.Child()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }() // it is killed: how it ends says nothing
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("%s said:\n%s", program, out.String())
		}
	})
	testwait.Until(t, program+" listens", func() bool {
		select {
		case <-exited:
			t.Fatalf("%s ended:\n%s", program, out.String())
		default:
		}
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// freePort returns a port that nobody listened on a moment ago: the proxies
// cannot be told to take any.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		port := anyPort(t)
		if _, taken := given.LoadOrStore(port, true); !taken {
			return port
		}
	}
}

func anyPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
