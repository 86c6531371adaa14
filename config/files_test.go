package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMissingFiles has a file that is missing for each key, in the mode that
// reads it, and the same again where nobody would.
func TestMissingFiles(t *testing.T) {
	const keystone = "[DEFAULT]\nauth_strategy = keystone\n[keystone_authtoken]\nauth_url = http://keystone:5000\nusername = u\npassword = p\nproject_name = service\nuser_domain_id = default\nproject_domain_id = default\n"
	const memcached = keystone + "memcached_servers = 127.0.0.1:11211\nmemcache_tls_enabled = True\n"
	const smtp = "[notification]\nsmtp_mode = self_local\nsmtp_host = mail.example\n"
	const idle = "[storage]\nmessage_pipeline =\n" // nothing is delivered
	const trustee = "[trustee]\nauth_url = http://keystone:5000\nusername = u\npassword = p\nuser_domain_id = default\n"
	dir := t.TempDir()
	there, gone := filepath.Join(dir, "there.pem"), filepath.Join(dir, "gone.pem")
	if err := os.WriteFile(there, []byte("PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		section, key string
		with         string // makes the server read it
		without      string // the same section, without that
	}{
		{"notification", "webhook_ca_file", "[notification]\n", idle + "[notification]\n"},
		{"notification", "smtp_cafile", smtp, "[notification]\n"},
		{"notification", "smtp_cafile", smtp, idle + smtp},
		{"trustee", "cafile", trustee, "[trustee]\n"},
		{"trustee", "cafile", trustee, idle + trustee},
		{"trustee", "certfile", trustee, "[trustee]\n"},
		{"trustee", "keyfile", trustee + "certfile = " + there + "\n", "[trustee]\n"},
		{"keystone_authtoken", "cafile", keystone, "[keystone_authtoken]\n"},
		{"keystone_authtoken", "certfile", keystone, "[keystone_authtoken]\n"},
		{"keystone_authtoken", "keyfile", keystone + "certfile = " + there + "\n", "[keystone_authtoken]\n"},
		{"keystone_authtoken", "memcache_tls_cafile", memcached, keystone},
		{"keystone_authtoken", "memcache_tls_certfile", memcached, keystone},
		{"keystone_authtoken", "memcache_tls_keyfile", memcached, keystone},
		{"ssl", "cert_file", "[ssl]\n", ""},
		{"ssl", "key_file", "[ssl]\ncert_file = " + there + "\n", ""},
		{"ssl", "ca_file", "[ssl]\ncert_file = " + there + "\n", ""},
	} {
		t.Run(c.section+"/"+c.key, func(t *testing.T) {
			missing := func(text, path string) Report {
				t.Helper()
				got, r := load(t, text+c.key+" = "+path+"\n")
				if errs := r.Errors(); len(errs) > 0 {
					t.Fatal(errs)
				}
				return got.MissingFiles()
			}
			for path, reason := range map[string]string{gone: "does not exist", dir: "is a directory"} {
				r := missing(c.with, path)
				if len(r) != 1 || r[0].Severity != Error || r[0].Section != c.section || r[0].Key != c.key || r[0].Line == 0 ||
					!strings.Contains(r[0].Text, reason) || !strings.Contains(r[0].Text, path) {
					t.Errorf("%s: %v", path, r)
				}
			}
			if r := missing(c.with, there); len(r) > 0 {
				t.Errorf("of a file that is there: %v", r)
			}
			if c.without != "" {
				if r := missing(c.without, gone); len(r) > 0 {
					t.Errorf("of a file that nobody reads: %v", r)
				}
			}
		})
	}
}

// Every option whose value is the path of a file that is only read says so: what
// is new here is looked for, too.
func TestFilesAreKnown(t *testing.T) {
	for _, section := range table() {
		for _, o := range section.Options {
			names := strings.HasSuffix(o.Key, "cafile") || strings.HasSuffix(o.Key, "certfile") || strings.HasSuffix(o.Key, "keyfile") ||
				strings.HasSuffix(o.Key, "ca_file") || strings.HasSuffix(o.Key, "cert_file") || strings.HasSuffix(o.Key, "key_file")
			if names && o.Effect == Active && o.reads == nil {
				t.Errorf("[%s] %s: nobody looks whether the file is there", section.Name, o.Key)
			}
		}
	}
}

func TestSubscriberTypes(t *testing.T) {
	for value, want := range map[string]string{
		"http,https,mailto,trust+http,trust+https,queue": "", "queue": "", "http, mailto": "",
		"http,ftp": `"ftp" is a scheme to which this version does not deliver; there are http, https`, "HTTPS": `"HTTPS" has to be written https`,
		"email": `"email" is a scheme`, "http://": `"http://" is a scheme`,
	} {
		_, r := load(t, "[transport]\nsubscriber_types = "+value+"\n")
		if want == "" {
			if len(r.Errors()) > 0 {
				t.Errorf("%s: %v", value, r)
			}
			continue
		}
		only(t, r, Error, ":2", "[transport] subscriber_types: "+want)
	}
}
