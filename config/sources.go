package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"zaqar/config/ini"
)

// Sources says where configuration is looked for. Later ones win: files in
// the order in which they are read, the environment, flags.
type Sources struct {
	// Given are the files and directories named on the command line, in that
	// order. Files given replace the search for files, directories given the
	// search for directories.
	Given []Source
	// Search are the directories that are searched, the first find counts.
	Search []string
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// Flags are the options set on the command line.
	Flags []Flag
	// Drivers and Stages are those that the program adds to those built in.
	Drivers, Stages []string
	// DataDir is where the embedded store keeps its files by default.
	DataDir string
}

// Source is a file, or a directory whose *.conf files are read in the order
// of their names.
type Source struct {
	Path string
	Dir  bool
}

// Flag is an option set on the command line.
type Flag struct {
	Name         string // as the user knows it: --port
	Section, Key string
	Value        string
}

// searchVariable names directories that are searched instead of the usual ones.
const searchVariable = "ZAQAR_CONFIG_DIRS"

// System returns the sources of a process of this machine's user.
func System() Sources {
	home, _ := os.UserHomeDir()
	dirs, given := os.LookupEnv(searchVariable)
	return Sources{
		Search:  search(home, dirs, given),
		Environ: os.Environ(),
		DataDir: dataDir(os.Getuid(), home, os.Getenv("XDG_DATA_HOME")),
	}
}

// search returns the directories in which configuration is looked for.
func search(home, dirs string, given bool) []string {
	if given {
		return filepath.SplitList(dirs)
	}
	usual := []string{"/etc/zaqar", "/etc"}
	if home != "" {
		usual = append([]string{filepath.Join(home, ".zaqar"), home}, usual...)
	}
	return usual
}

// dataDir follows the file system hierarchy for root and the XDG base
// directories for others.
func dataDir(uid int, home, xdg string) string {
	switch {
	case uid == 0:
		return "/var/lib/zaqar"
	case filepath.IsAbs(xdg):
		return filepath.Join(xdg, "zaqar")
	case home != "":
		return filepath.Join(home, ".local", "share", "zaqar")
	default:
		return "zaqar-data"
	}
}

// programs are the names under which the search looks for files: NAME.conf
// and NAME.conf.d, in the order of reading. This process stands for each of
// the older programs.
func programs() []string { return []string{"zaqar", "zaqar-server", "zaqar-queues"} }

// assignment is one value that was given somewhere.
type assignment struct {
	section, key, text string
	from               Origin
}

// layer is what one source says. A later layer wins.
type layer []assignment

// read collects the layers of all files, and the names of the files.
func (s Sources) read(r *Report) (layers []layer, sections []assignment, files []string) {
	for _, name := range s.files(r) {
		f, err := os.Open(name)
		if err != nil {
			r.add(Error, Origin{File: name}, "", "", "cannot be read: %v", reason(err))
			continue
		}
		parsed, errs := ini.Parse(f, name)
		f.Close()
		for _, err := range errs {
			var e *ini.Error
			if errors.As(err, &e) {
				r.add(Error, Origin{File: name, Line: e.Line}, "", "", "%s", e.What)
			}
		}
		files = append(files, name)
		layers = append(layers, toLayer(parsed.Entries))
		sections = append(sections, toLayer(parsed.Headers)...)
	}
	return layers, sections, files
}

func toLayer(entries []ini.Entry) layer {
	var l layer
	for _, e := range entries {
		l = append(l, assignment{e.Section, e.Key, e.Value, Origin{File: e.File, Line: e.Line}})
	}
	return l
}

// files lists the files to read, in order.
func (s Sources) files(r *Report) []string {
	var names []string
	if !s.given(false) {
		for _, p := range programs() {
			if name := s.find(p+".conf", false); name != "" {
				names = append(names, name)
			}
		}
	}
	if !s.given(true) {
		for _, p := range programs() {
			if dir := s.find(p+".conf.d", true); dir != "" {
				names = append(names, confFiles(dir, r)...)
			}
		}
	}
	for _, g := range s.Given {
		if g.Dir {
			names = append(names, confFiles(g.Path, r)...)
		} else {
			names = append(names, g.Path)
		}
	}
	return names
}

func (s Sources) given(dir bool) bool {
	for _, g := range s.Given {
		if g.Dir == dir {
			return true
		}
	}
	return false
}

// find returns the first of the searched directories' entry of that name.
func (s Sources) find(name string, dir bool) string {
	for _, d := range s.Search {
		path := filepath.Join(d, name)
		if info, err := os.Stat(path); err == nil && info.IsDir() == dir {
			return path
		}
	}
	return ""
}

func confFiles(dir string, r *Report) []string {
	entries, err := os.ReadDir(dir) // in the order of names
	if err != nil {
		r.add(Error, Origin{File: dir}, "", "", "cannot be read: %v", reason(err))
	}
	var names []string
	for _, e := range entries {
		if n := e.Name(); strings.HasSuffix(n, ".conf") && !strings.HasPrefix(n, ".") && !e.IsDir() {
			names = append(names, filepath.Join(dir, n))
		}
	}
	return names
}

// reason drops the operation and the path, which are said elsewhere.
func reason(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// environment collects what OS_<GROUP>__<OPTION> variables say. In their
// names, letters are capital and ':' and '-' are '_'; ':' may also stay.
func (s Sources) environment(known index, r *Report) layer {
	var l layer
	for _, kv := range s.Environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "OS_") || !strings.Contains(name, "__") {
			continue
		}
		from := Origin{Name: "environment variable " + name}
		if id, ok := known.env[strings.ReplaceAll(name, ":", "_")]; ok {
			l = append(l, assignment{id.section, id.key, value, from})
			continue
		}
		r.add(Warning, from, "", "", "names no option; it is ignored")
	}
	return l
}

func envName(section, key string) string {
	plain := strings.NewReplacer(":", "_", "-", "_", ".", "_")
	return "OS_" + strings.ToUpper(plain.Replace(section)) + "__" + strings.ToUpper(plain.Replace(key))
}

func (s Sources) flags() layer {
	var l layer
	for _, f := range s.Flags {
		l = append(l, assignment{f.Section, f.Key, f.Value, Origin{Name: "flag " + f.Name}})
	}
	return l
}
