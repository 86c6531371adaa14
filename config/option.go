package config

import (
	"cmp"
	"strings"

	"zaqar/app"
)

// section is a group of options.
type section struct {
	Name    string
	Help    string
	Options []Option
}

// Effect says what becomes of an option that a file sets.
type Effect int

// The effects.
const (
	Active   Effect = iota // honoured
	Later                  // checked, but its feature is not in this version
	Ignored                // accepted, has no effect in this product
	Replaced               // accepted, has no effect: something else does this
)

// Option is one key of a section.
type Option struct {
	Key     string
	Aliases []string // older names of it in the same section
	Help    string
	Note    string // why it has no effect, or what replaces it
	Allowed string // what a value may be, in words
	Default string // as one would write it; empty: none
	Effect  Effect
	Secret  bool // never shown
	Multi   bool // repeated keys accumulate
	Live    bool // a reload applies it

	set  func(s *settings, text string) error
	show func(s *settings) string // nil: nothing holds it, the text is shown
	// reads says whether the server reads the file that the value names when it
	// starts; nil: it names none.
	reads func(s *settings) bool
}

// settings is what the table's options fill: the options of the server and
// what is needed only to derive them.
type settings struct {
	app.Options

	adminMode              bool
	pooling                bool
	authStrategy           string
	transports             []string
	messages, management   string
	drivers, stages        []string          // that there are
	uris                   map[string]string // of the stores that the program adds
	debug                  bool
	level, format          string
	logFile, logDir        string
	syslog, json, stderr   bool
	facility               string
	algorithm              string
	key                    string
	keys                   []pair
	memoryLimit, gcPercent int64
	clientIDs              string
	policyFile             string
	auditFile              string
	traceHeaders           []pair
	policyDirs             []string
	healthBackends         []string
	healthDisable          string
	healthPorts            []string
	healthEnable           []string
	proxyHeaders           bool
	clientCertificates     string
	minTLS                 string
	authType, authSection  string
	tokenCacheTime         int64
	memcachedLogin         bool
	limits                 []int64 // in the order of messaging.AllLimits
	rateStatus             string
	smtpMode, trusteeType  string
}

// of makes an option whose value is held by the field that at points to. Its
// default is what that field is before anything is read.
func of[T any](key string, k kind[T], at func(*settings) *T, help string) Option {
	show := func(s *settings) string { return k.format(*at(s)) }
	return Option{
		Key: key, Help: help, Allowed: k.allowed, show: show,
		Default: show(defaults()),
		set: func(s *settings, text string) error {
			v, err := k.parse(text)
			if err == nil {
				*at(s) = v
			}
			return err
		},
	}
}

// each makes an option that may be given several times; every text is added to
// the field that at points to. def stands for none.
func each(key string, k kind[string], at func(*settings) *[]string, def, help string) Option {
	return Option{
		Key: key, Help: help, Allowed: k.allowed, Default: def, Multi: true,
		show: func(s *settings) string { return cmp.Or(strings.Join(*at(s), "\n"), def) },
		set: func(s *settings, text string) error {
			v, err := k.parse(text)
			if err == nil {
				*at(s) = append(*at(s), v)
			}
			return err
		},
	}
}

// later makes an option that is checked and has no effect yet.
func later[T any](key string, k kind[T], def, help string) Option {
	return Option{
		Key: key, Help: help, Allowed: k.allowed, Default: def, Effect: Later,
		set: func(_ *settings, text string) error {
			_, err := k.parse(text)
			return err
		},
	}
}

// ignored makes options that are accepted whatever their value.
func ignored(note string, keys ...string) []Option {
	return inert(Ignored, note, keys)
}

// replaced makes options whose purpose something else serves.
func replaced(note string, keys ...string) []Option {
	return inert(Replaced, note, keys)
}

func inert(e Effect, note string, keys []string) []Option {
	var os []Option
	for _, k := range keys {
		os = append(os, Option{Key: k, Note: note, Effect: e, set: func(*settings, string) error { return nil }})
	}
	return os
}

func (o Option) live() Option                          { o.Live = true; return o }
func (o Option) secret() Option                        { o.Secret = true; return o }
func (o Option) alias(names ...string) Option          { o.Aliases = names; return o }
func (o Option) read(when func(*settings) bool) Option { o.reads = when; return o }
func (o Option) defaultText(text string) Option        { o.Default = text; return o }
