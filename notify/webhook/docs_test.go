package webhook_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"zaqar/internal/need"
	"zaqar/messaging/delivery"
	"zaqar/notify/notifytest"
	"zaqar/notify/webhook"
)

// example is the code in docs/notifications.md that verifies signatures.
func example(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(found) != 1 {
		t.Fatalf("%d examples in %s", len(found), language)
	}
	return found[0][1]
}

// verifiable is a request as an example is given it.
type verifiable struct {
	Headers      map[string]string
	Body, Secret string
}

// signedNow gives two requests: one to be taken, one to be refused.
func signedNow(t *testing.T) (good, bad verifiable) {
	t.Helper()
	r := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	s := sender(t, func(c *webhook.Config) { c.Now = time.Now })
	first := delivery.NewSecret(time.Now())
	d := deliver(t, r.URL, `{}`)
	d.Subscription.Secrets = delivery.Secrets{first}.Rotate(delivery.NewSecret(time.Now())).Encode()
	got := received(t, s, r, d)
	good = verifiable{map[string]string{}, string(got.Body), first.Text()}
	for name := range got.Header {
		good.Headers[strings.ToLower(name)] = got.Header.Get(name)
	}
	bad = good
	bad.Body += " "
	return good, bad
}

// tells runs a program that reads two requests and says of each whether it
// takes it.
func tells(t *testing.T, c *exec.Cmd) {
	t.Helper()
	good, bad := signedNow(t)
	in, err := json.Marshal([]verifiable{good, bad})
	if err != nil {
		t.Fatal(err)
	}
	var errors bytes.Buffer
	c.Stdin, c.Stderr = bytes.NewReader(in), &errors
	out, err := c.Output()
	if said := strings.ToLower(strings.Join(strings.Fields(string(out)), " ")); err != nil || said != "true false" {
		t.Errorf("%q: %v\n%s", out, err, errors.String())
	}
}

func TestPythonExample(t *testing.T) {
	code := example(t, "python") + `
import json, sys
for r in json.load(sys.stdin):
    print(verify(r["Headers"], r["Body"].encode(), r["Secret"]))
`
	tells(t, exec.CommandContext(t.Context(), need.Program(t, "python3"), "-c", code))
}

func TestGoExample(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example\n\ngo 1.26\n",
		"verify.go": example(t, "go"),
		"main.go": `package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

func main() {
	var all []struct {
		Headers      map[string]string
		Body, Secret string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&all); err != nil {
		panic(err)
	}
	for _, r := range all {
		h := http.Header{}
		for name, value := range r.Headers {
			h.Set(name, value)
		}
		fmt.Println(verify(h, []byte(r.Body), r.Secret))
	}
}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), need.Program(t, "go"), "run", ".")
	c.Dir = dir
	tells(t, c)
}
