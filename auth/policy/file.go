package policy

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is a file with rules in YAML, or in JSON, which is YAML as well: a
// mapping from names of rules to texts of the policy language.
type File struct {
	Name string // for findings
	Text []byte
}

// definition is one entry of a file.
type definition struct {
	name string
	line int
	text string
	list []any // the old form; nil: text
}

// maxNodes bounds the parts of a file, aliases counted where they stand for
// something.
const maxNodes = 100_000

// definitions reads a file. What is wrong with single entries is reported, and
// the others are read all the same.
func (f File) definitions(report func(line int, rule, what string)) []definition {
	d := yaml.NewDecoder(strings.NewReader(string(f.Text)))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			line, what := yamlError(err)
			report(line, "", what)
		}
		return nil // nothing but comments
	}
	var more yaml.Node
	if d.Decode(&more) != io.EOF {
		report(max(more.Line, 1), "", "a second document begins here; a file holds one")
		return nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		report(root.Line, "", "the file has to map names of rules to texts")
		return nil
	}
	return entries(root, report)
}

func entries(root *yaml.Node, report func(line int, rule, what string)) []definition {
	var list []definition
	seen := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag != "!!str" || key.Value == "" {
			report(key.Line, "", "the name of a rule has to be a text that is not empty")
			continue
		}
		if first, twice := seen[key.Value]; twice {
			report(key.Line, key.Value, fmt.Sprintf("is defined twice; the first time in line %d", first))
			continue
		}
		seen[key.Value] = key.Line
		d := definition{name: key.Value, line: value.Line}
		var err error
		if d.text, d.list, err = ruleOf(value); err != nil {
			report(value.Line, key.Value, err.Error())
			continue
		}
		list = append(list, d)
	}
	return list
}

// ruleOf returns what a value says. An exclamation mark and an at sign without
// quotes mean something else in YAML, and nothing at all could mean everybody
// as well as nobody.
func ruleOf(n *yaml.Node) (string, []any, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		return "", nil, errors.New(`a value that begins with "!" has to stand in quotes`)
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "", nil, errors.New(`it has no value; write "" for everybody or "!" for nobody, in quotes`)
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str":
		return n.Value, nil, nil
	case n.Kind == yaml.SequenceNode:
		left := maxNodes
		list, err := listOf(n, &left, 0)
		return "", list, err
	}
	return "", nil, errors.New("it has to be a text, in quotes if in doubt")
}

func listOf(n *yaml.Node, left *int, depth int) ([]any, error) {
	list := []any{}
	for _, item := range n.Content {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		*left--
		switch {
		case *left < 0:
			return nil, errors.New("it is too large")
		case item.Style&yaml.TaggedStyle == 0 && item.Kind == yaml.ScalarNode && item.Tag == "!!str":
			list = append(list, item.Value)
		case item.Kind == yaml.SequenceNode && depth == 0:
			inner, err := listOf(item, left, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, inner)
		default:
			return nil, errors.New("a rule in the form of a list holds texts and lists of texts")
		}
	}
	return list, nil
}

// yamlError takes the place out of an error of the YAML reader, which puts it
// into the text.
func yamlError(err error) (line int, what string) {
	found := regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)$`).FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	if found == nil {
		return 1, "not understood: " + err.Error()
	}
	line, _ = strconv.Atoi(found[1])
	return max(line, 1), "not YAML: " + found[2]
}

// IsJSON reports whether the file is written as JSON, a form that the original
// gave up.
func (f File) IsJSON() bool {
	for line := range strings.Lines(string(f.Text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line != "---" {
			return line[0] == '{'
		}
	}
	return false
}
