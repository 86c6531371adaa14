package config

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"zaqar/app"
	"zaqar/auth/keystone"
	"zaqar/messaging"
	"zaqar/observe"
)

// Config is what all sources together say.
type Config struct {
	Options app.Options
	Log     observe.Config
	Audit   observe.Config // of the audit log, if Options.Audit; without File it is part of Log
	Runtime app.Runtime
	Files   []string // that were read, in order
	Values  []Value  // of all active options, in the order of the table
}

// Value is the value of an option.
type Value struct {
	Section string
	Option
	Text   string // as one would write it, except for references
	Origin Origin // zero: the default

	file bool // it names a file that the server reads
}

// masked stands for a secret.
const masked = "***"

// Shown is Text, or stars for a secret.
func (v Value) Shown() string {
	if v.Secret && v.Text != "" {
		return masked
	}
	return v.Text
}

// Load reads all sources. The Config is usable if the report holds no errors;
// without errors and warnings nothing was misunderstood.
func Load(src Sources) (*Config, Report) {
	var r Report
	x := newIndex(slices.Concat(table(), addedStores(src.Drivers)))
	layers, headers, files := src.read(&r)
	layers = append(layers, src.environment(x, &r), src.flags())
	v := &values{x, layers, reference()}

	warnUnknown(v, headers, &r)
	s := defaults()
	s.Store.Dir, s.drivers = src.DataDir, slices.Concat(app.Drivers(), src.Drivers)
	s.stages = slices.Concat(app.Stages(), src.Stages)
	c := &Config{Files: files}
	for _, section := range x.sections {
		for _, o := range section.Options {
			if shown, ok := v.take(section.Name, o, s, &r); ok {
				c.Values = append(c.Values, shown)
			}
		}
	}
	finish(s, v, files, src.Search, &r)
	c.Options, c.Log, c.Runtime = s.Options, s.logging(), s.runtime(src.Environ)
	c.Audit = observe.Config{Format: observe.JSON, File: s.auditFile}
	c.settle(s)
	r.sort(files)
	return c, r
}

func defaults() *settings {
	s := &settings{
		Options: app.Defaults(), transports: []string{"wsgi"}, level: "info", format: "text",
		facility: "LOG_USER", algorithm: "AES256", gcPercent: app.DefaultRuntime().GCPercent,
		clientIDs: "strict", clientCertificates: "required", minTLS: "1.2", policyFile: "policy.yaml",
		tokenCacheTime: int64(app.Defaults().Identity.Keystone.CacheTime.Seconds()),
		rateStatus:     "auto",
		uris:           map[string]string{},
		smtpMode:       "third_part", trusteeType: string(keystone.Password),
	}
	for range messaging.AllLimits() {
		s.limits = append(s.limits, messaging.Unlimited)
	}
	return s
}

// take applies one option to s and reports what is wrong or odd about it. ok
// is false for options that have no effect.
func (v *values) take(section string, o Option, s *settings, r *Report) (_ Value, ok bool) {
	out := Value{Section: section, Option: o}
	for _, a := range v.given(optionID{section, o.Key}, o) {
		text, secret, err := v.expand(section, a.text, []optionID{{section, o.Key}})
		out.Secret = out.Secret || secret
		switch {
		case err != nil:
			r.add(Error, a.from, section, a.key, "%v", err)
			continue
		case text == "" && o.Default == "":
			// Empty is how templates write "not set".
		case o.set(s, text) != nil:
			r.add(Error, a.from, section, a.key, "%s is not allowed; allowed is %s", quoted(text, out.Secret), o.Allowed)
			continue
		}
		out.Origin = a.from
		if o.Effect != Active {
			r.add(Warning, a.from, section, a.key, "%s", o.inert())
		}
	}
	return out, o.Effect == Active
}

// settle fills in what the options came to, after everything was derived.
func (c *Config) settle(s *settings) {
	for i := range c.Values {
		v := &c.Values[i]
		v.Text = v.show(s)
		v.file = v.Text != "" && v.reads != nil && v.reads(s)
	}
}

// MissingFiles reports the files that the configuration names and that a server
// started here would read and not find. Whether it may read the others only it
// knows: it may be another user.
func (c *Config) MissingFiles() (r Report) {
	for _, v := range c.Values {
		if !v.file {
			continue
		}
		switch info, err := os.Stat(v.Text); {
		case errors.Is(err, fs.ErrNotExist):
			r.add(Error, v.Origin, v.Section, v.Key, "%q does not exist", v.Text)
		case err == nil && info.IsDir():
			r.add(Error, v.Origin, v.Section, v.Key, "%q is a directory, not a file", v.Text)
		}
	}
	return r
}

// Join returns the findings of several reports, in the order of the files.
func (c *Config) Join(reports ...Report) Report {
	all := slices.Concat(reports...)
	all.sort(c.Files)
	return all
}

// inert says why a value has no effect.
func (o Option) inert() string {
	switch o.Effect {
	case Later:
		return "has no effect yet in this version"
	case Replaced:
		return "is replaced and has no effect: " + o.Note
	default:
		return "is ignored: " + o.Note
	}
}

func quoted(text string, secret bool) string {
	if secret {
		return "the value"
	}
	const most = 60
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return `"` + text + `"`
}
