package faultdisk

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCrashOfDirectories(t *testing.T) {
	file := func(name, text string) func(*testing.T, *Disk) {
		return func(t *testing.T, d *Disk) {
			f := create(t, d, name)
			write(t, f, text, 0)
			must(t, f.Sync())
			must(t, f.Close())
		}
	}
	rename := func(from, to string) func(*testing.T, *Disk) {
		return func(t *testing.T, d *Disk) { must(t, d.Rename(from, to)) }
	}
	remove := func(name string) func(*testing.T, *Disk) {
		return func(t *testing.T, d *Disk) { must(t, d.Remove(name)) }
	}
	syncdir := func(t *testing.T, d *Disk) { must(t, d.SyncDir("/")) }
	mkdir := func(t *testing.T, d *Disk) { must(t, d.MkdirAll("d")) }

	for _, c := range []struct {
		name    string
		does    []func(*testing.T, *Disk)
		want    []string // all outcomes
		ordered []string // all outcomes with Ordered
	}{
		{"create", []func(*testing.T, *Disk){file("a", "1")}, []string{"", "a=1"}, []string{"", "a=1"}},
		{"synced create", []func(*testing.T, *Disk){file("a", "1"), syncdir}, []string{"a=1"}, []string{"a=1"}},
		{"two creates", []func(*testing.T, *Disk){file("a", "1"), file("b", "2")},
			[]string{"", "a=1", "a=1 b=2", "b=2"}, []string{"", "a=1", "a=1 b=2"}},
		{"rename over", []func(*testing.T, *Disk){file("a", "1"), syncdir, file("t", "2"), rename("t", "a")},
			[]string{"a=1", "a=1 t=2", "a=2"}, []string{"a=1", "a=1 t=2", "a=2"}},
		{"synced rename over", []func(*testing.T, *Disk){file("a", "1"), file("t", "2"), rename("t", "a"), syncdir},
			[]string{"a=2"}, []string{"a=2"}},
		{"rename on", []func(*testing.T, *Disk){file("a", "1"), syncdir, rename("a", "b"), rename("b", "c")},
			[]string{"a=1", "b=1", "c=1"}, []string{"a=1", "b=1", "c=1"}},
		{"remove", []func(*testing.T, *Disk){file("a", "1"), syncdir, remove("a")}, []string{"", "a=1"}, []string{"", "a=1"}},
		{"remove and create", []func(*testing.T, *Disk){file("a", "1"), syncdir, remove("a"), file("a", "2")},
			[]string{"", "a=1", "a=2"}, []string{"", "a=1", "a=2"}},
		{"mkdirall is synced", []func(*testing.T, *Disk){mkdir, file("d/a", "1")}, []string{"d", "d d/a=1"}, []string{"d", "d d/a=1"}},
		{"rename across, new name synced", []func(*testing.T, *Disk){mkdir, file("d/a", "1"),
			func(t *testing.T, d *Disk) { must(t, d.SyncDir("d")) }, rename("d/a", "a"), syncdir},
			[]string{"a=1 d", "a=1 d d/a=1"}, []string{"a=1 d", "a=1 d d/a=1"}},
	} {
		d := New(Config{})
		for _, do := range c.does {
			do(t, d)
		}
		for _, o := range []struct {
			cut  Cut
			want []string
		}{{Cut{Loss: Mixed}, c.want}, {Cut{Loss: Mixed, Ordered: true}, c.ordered}} {
			seen := map[string]bool{}
			for o.cut.Seed = range 200 {
				seen[tree(t, d.Crash(o.cut), "/")] = true
			}
			var got []string
			for s := range seen {
				got = append(got, s)
			}
			slices.Sort(got)
			if diff := cmp.Diff(o.want, got); diff != "" {
				t.Errorf("%s, ordered %v: (-want +got):\n%s", c.name, o.cut.Ordered, diff)
			}
		}
	}
}

// tree draws what is on the disk: "name=content" and "dir", sorted.
func tree(t *testing.T, d *Disk, dir string) string {
	names, err := d.List(dir)
	must(t, err)
	var out []string
	for _, name := range names {
		path := strings.TrimPrefix(dir+"/"+name, "//")
		if b, err := d.ReadFile(path); err == nil {
			out = append(out, path+"="+string(b))
			continue
		}
		out = append(out, path)
		if sub := tree(t, d, path); sub != "" {
			out = append(out, sub)
		}
	}
	return strings.Join(out, " ")
}
