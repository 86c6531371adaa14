package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"zaqar/config"
)

// sources adds the flags that say where configuration comes from and those
// that set options, and returns what collects them.
func (prog Program) sources(f *pflag.FlagSet) *config.Sources {
	s := prog.system()
	fileFlags(f, &s)
	serverFlags(f, &s)
	return &s
}

// system returns where this program looks for its configuration.
func (prog Program) system() config.Sources {
	s := config.System()
	for _, d := range prog.Drivers {
		s.Drivers = append(s.Drivers, d.Name)
	}
	s.Stages = slices.Sorted(maps.Keys(prog.Stages))
	return s
}

// fileFlags adds the flags that name configuration files.
func fileFlags(f *pflag.FlagSet, s *config.Sources) {
	f.Var(&given{s, false}, "config-file", "read this `file` instead of searching; repeatable, later ones win")
	f.Var(&given{s, true}, "config-dir", "read the *.conf files of this `directory`; repeatable")
	underscores(f)
}

// given is a flag that names a file or directory. The two share one list,
// since their common order counts.
type given struct {
	s   *config.Sources
	dir bool
}

func (g *given) String() string { return "" }
func (g *given) Type() string   { return "path" }
func (g *given) Set(path string) error {
	if path == "" {
		return fmt.Errorf("the path is empty")
	}
	g.s.Given = append(g.s.Given, config.Source{Path: path, Dir: g.dir})
	return nil
}

// serverFlags adds the flags that set options.
func serverFlags(f *pflag.FlagSet, s *config.Sources) {
	add := func(name, short, section, key, kind, usage string) *pflag.Flag {
		return f.VarPF(&setting{s, name, section, key, kind}, name, short, usage)
	}
	on := func(name, short, key, usage string) *pflag.Flag {
		flag := add(name, short, "DEFAULT", key, "bool", usage)
		flag.NoOptDefVal = "true"
		return flag
	}
	add("bind", "", "drivers:transport:wsgi", "bind", "address", "listen on this address")
	add("port", "", "drivers:transport:wsgi", "port", "number", "listen on this port; 0 is any free one")
	dataDirFlag(f, s)
	on("admin-mode", "", "admin_mode", "offer the private endpoints")
	on("debug", "d", "debug", "log at level debug")
	add("log-file", "", "DEFAULT", "log_file", "file", "append the log to this file")
	add("log-dir", "", "DEFAULT", "log_dir", "directory", "the directory of the log file")
	on("use-json", "", "use_json", "log as JSON")
	on("use-syslog", "", "use_syslog", "log to syslog")
	add("log-config-append", "", "DEFAULT", "log_config_append", "file", "").Hidden = true
	on("daemon", "", "daemon", "").Hidden = true
}

// dataDirFlag adds the flag that says where the store is.
func dataDirFlag(f *pflag.FlagSet, s *config.Sources) {
	f.Var(&setting{s, "data-dir", "drivers:message_store:embedded", "data_dir", "directory"}, "data-dir",
		"where the embedded store keeps its files")
}

// underscores lets names of flags be written as older command lines write some:
// --admin_mode.
func underscores(f *pflag.FlagSet) {
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
}

// setting is a flag that sets an option. The configuration checks its value.
type setting struct {
	s                  *config.Sources
	name, section, key string
	kind               string
}

func (o *setting) String() string { return "" }
func (o *setting) Type() string   { return o.kind }
func (o *setting) Set(value string) error {
	o.s.Flags = append(o.s.Flags, config.Flag{Name: "--" + o.name, Section: o.section, Key: o.key, Value: value})
	return nil
}
