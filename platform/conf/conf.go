// Package conf reads a program's one configuration file. It promises that an unknown key, a key written twice and a value of
// the wrong type stop the start, that all of them are reported at once by key and line, and that nothing is read from the
// environment. Defaults stand in the struct that is passed in; what values mean is checked by its Check method.
package conf

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Checker is a configuration that can say what is wrong with it, all at once.
type Checker interface {
	// Check adds every problem found to p.
	Check(p *Problems)
}

// Problems collects what is wrong with a configuration.
type Problems struct {
	list []string
}

// Add notes a problem of a key, such as "grpc_addr".
func (p *Problems) Add(key, format string, args ...any) {
	p.list = append(p.list, key+": "+fmt.Sprintf(format, args...))
}

// Require notes that a key is missing when its value is empty.
func (p *Problems) Require(key, value string) {
	if strings.TrimSpace(value) == "" {
		p.Add(key, "is required")
	}
}

// Err is nil without problems, and otherwise an *Error that names them all.
func (p *Problems) Err(path string) error {
	if len(p.list) == 0 {
		return nil
	}
	return &Error{Path: path, Problems: slices.Clone(p.list)}
}

// Error is a configuration that stops the start.
type Error struct {
	// Path is the file.
	Path string
	// Problems are all that was found, each naming its key or line.
	Problems []string
}

// Error lists the problems, one a line.
func (e *Error) Error() string {
	return "configuration " + e.Path + ":\n  " + strings.Join(e.Problems, "\n  ")
}

// Load reads the YAML file at path over the defaults in cfg, which is a pointer to a struct, and checks the result when
// cfg is a Checker. The error is an *Error unless the file cannot be read.
func Load(path string, cfg any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	return Decode(path, raw, cfg)
}

// Decode is Load for bytes; path only names them in errors.
func Decode(path string, raw []byte, cfg any) error {
	var p Problems
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	err := dec.Decode(cfg)
	var typed *yaml.TypeError
	switch {
	case errors.Is(err, io.EOF): // an empty file keeps every default
	case errors.As(err, &typed):
		p.list = append(p.list, typed.Errors...)
	case err != nil:
		p.list = append(p.list, err.Error())
		return p.Err(path)
	default:
		var more any
		if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
			p.list = append(p.list, "a second document in the file")
		}
	}
	if c, ok := cfg.(Checker); ok {
		c.Check(&p)
	}
	return p.Err(path)
}

// Flags are the flags that every service's program takes, and its subcommand.
type Flags struct {
	// Config is the configuration file.
	Config string
	// Check says: read and check the configuration, then leave.
	Check bool
	// Version says: print the version, then leave.
	Version bool
	// Args is what follows the flags, such as ["verify"].
	Args []string
}

// ParseFlags reads -config, -check and -version; usage and errors go to out. The error is flag.ErrHelp after -help.
func ParseFlags(name string, args []string, out io.Writer) (Flags, error) {
	var f Flags
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&f.Config, "config", name+".yaml", "configuration file")
	fs.BoolVar(&f.Check, "check", false, "check the configuration and leave")
	fs.BoolVar(&f.Version, "version", false, "print the version and leave")
	if err := fs.Parse(args); err != nil {
		return Flags{}, err
	}
	f.Args = fs.Args()
	return f, nil
}
