package compat

import (
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"zaqar/auth/signed"
	"zaqar/internal/need"
	"zaqar/messaging"
	"zaqar/test/e2e/daemon"
)

// signingKey signs URLs.
const signingKey = "any other text, of some length"

// TestSchemathesis holds a server against its description: generated requests,
// valid and not, get the statuses, media types, headers and bodies that stand
// there, and never a failure of the server. schemathesis/schemathesis.toml
// says what is left out and why.
func TestSchemathesis(t *testing.T) {
	t.Parallel()
	program := schemathesis(t)
	// A second is enough to see what a long poll answers, and there has to be
	// a key for queues to turn encryption on.
	server := daemon.Start(t, daemon.Options{
		Args:   []string{"--admin-mode"},
		Config: "[transport]\nmax_wait = 1\nmessage_encryption_key = any text\n[signed_url]\nsecret_key = " + signingKey + "\n[quota]\nenabled = True\n",
	})
	env := knownResources(t, server)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--config-file", "schemathesis.toml", "run", description(t), "--url", server.URL, "--no-color")
	cmd.Dir = "schemathesis"
	cmd.Env = append(env, "HOME="+t.TempDir(), "PATH="+os.Getenv("PATH"), "LC_ALL=C.UTF-8",
		"PYTHONDONTWRITEBYTECODE=1", "HYPOTHESIS_STORAGE_DIRECTORY="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := regexp.MustCompile(`(?m)^ +(\d+) generated`).FindSubmatch(out); n != nil {
		t.Logf("%s requests", n[1])
	}
}

// schemathesis returns the path of the program, by default the one that
// test/setup installs.
func schemathesis(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("ZAQAR_TEST_SCHEMATHESIS"), "../../.cache/schemathesis/bin/schemathesis", "schemathesis"} {
		if found, err := exec.LookPath(name); err == nil {
			found, err = filepath.Abs(found)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
	}
	need.Missing(t, "the program schemathesis")
	return ""
}

// description writes the description of a server with the configuration of
// the test: as the files stand, it is that of one without any.
func description(t *testing.T) string {
	t.Helper()
	const file = "../../api/wire/openapi.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wait := regexp.MustCompile(`(name: wait\n(?: .*\n)*? +schema: .*maximum: )20\b`)
	if !wait.Match(text) {
		t.Fatalf("%s: the limit of the parameter wait is not where it is looked for", file)
	}
	file2 := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(file2, wait.ReplaceAll(text, []byte("${1}1")), 0o600); err != nil {
		t.Fatal(err)
	}
	return file2
}

// knownResources makes messages, subscriptions and a claim, and returns how
// schemathesis.toml calls them.
func knownResources(t *testing.T, server *daemon.Daemon) (env []string) {
	t.Helper()
	c := server.Client()
	queued := c.Post(t, "known", "claimed", "free")
	c.Do(t, "POST", "/v2/topics/known/messages", `{"messages": [{"body": "free"}]}`).Want(201)
	topic := c.Do(t, "GET", "/v2/topics/known/messages?echo=true", nil).Want(200).Messages()
	claim := c.Do(t, "POST", "/v2/queues/known/claims?limit=1", `{"ttl": 43200, "grace": 43200}`).Want(201)
	subscribe := func(at string) string {
		var made struct {
			ID string `json:"subscription_id"`
		}
		c.Do(t, "POST", at+"/subscriptions", `{"subscriber": "http://hook.example", "ttl": 220367260800}`).Want(201).JSON(&made)
		return made.ID
	}
	queueSubscription := subscribe("/v2/queues/known")
	confirm := "/v2/queues/known/subscriptions/" + queueSubscription + "/confirm"
	signature, err := signed.NewKeys(signingKey).Sign(signed.Grant{Project: messaging.Project(c.Project), Methods: []string{"PUT"},
		Paths: []string{confirm}, Expires: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"ZAQAR_LINK_SIGNATURE=" + signature, "ZAQAR_LINK_PATHS=" + confirm,
		"ZAQAR_QUEUE_SUBSCRIPTION=" + queueSubscription,
		"ZAQAR_TOPIC_SUBSCRIPTION=" + subscribe("/v2/topics/known"),
		"ZAQAR_PROJECT=" + c.Project,
		"ZAQAR_QUEUE_MESSAGE=" + path.Base(queued[1]),
		"ZAQAR_TOPIC_MESSAGE=" + path.Base(strings.TrimSuffix(topic[0].Href, "/")),
		"ZAQAR_CLAIM=" + path.Base(claim.Location()),
	}
}
