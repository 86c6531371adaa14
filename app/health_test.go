package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zaqar/app"
)

// TestHealthcheck takes a server out of service by files, and back.
func TestHealthcheck(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(file(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		health func(port int64) app.Healthcheck
		file   string // that changes what is said
		before string
		after  string
	}{
		{"nothing said", func(int64) app.Healthcheck { return app.Healthcheck{} }, "any", "OK", "OK"},
		{"disabled", func(int64) app.Healthcheck { return app.Healthcheck{DisableFile: file("off")} }, "off", "OK", "DISABLED BY FILE"},
		{"another port is disabled", func(port int64) app.Healthcheck {
			return app.Healthcheck{DisableFiles: []string{strconv.FormatInt(port+1, 10) + ":" + file("other")}}
		}, "other", "OK", "OK"},
		{"this port is disabled", func(port int64) app.Healthcheck {
			return app.Healthcheck{DisableFiles: []string{"1:/", strconv.FormatInt(port, 10) + ":" + file("this")}}
		}, "this", "OK", "DISABLED BY FILE"},
		{"not enabled", func(int64) app.Healthcheck { return app.Healthcheck{EnableFiles: []string{file("no"), file("on")}} }, "on", "FILE PATH MISSING", "OK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(t)
			o.Health = c.health(o.HTTP.Port)
			r := start(t, o)
			check := func(want string) {
				t.Helper()
				status, _, body := r.do(t, "GET", "/healthcheck", "")
				if body != want || (status == http.StatusOK) != (want == "OK") {
					t.Errorf("%d %s, want %s", status, body, want)
				}
			}
			check(c.before)
			write(c.file)
			check(c.after)
		})
	}
}

func TestNoHealthcheckPage(t *testing.T) {
	o := options(t)
	o.REST.Healthcheck.Path = ""
	if status, _, body := start(t, o).do(t, "GET", "/healthcheck", ""); status != http.StatusNotFound || !strings.Contains(body, "nothing at this path") {
		t.Errorf("%d %s", status, body)
	}
}
