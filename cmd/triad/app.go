package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
)

// app holds what every command shares: where data lives and how results are printed.
type app struct {
	data   string
	server string
	token  string
	tenant string
	store  string
	format string
	output string
	quiet  bool

	stdout, stderr io.Writer
}

// formats are those of any command. A command whose own are not all of them names them by
// formatsOf, so that another is refused before the work.
var formats = []string{"table", "json", "sarif", "cyclonedx", "spdx", "spdx-tag-value", "openvex", "gitlab", "junit", "markdown", "csv", "report"}

// formatsOf is the annotation by which a command says which formats it and those below it write.
func formatsOf(names ...string) map[string]string {
	return map[string]string{"formats": strings.Join(names, ",")}
}

// formatsAt returns the formats of a command: its own, else those of the one above it.
func formatsAt(cmd *cobra.Command) []string {
	for c := cmd; c != nil; c = c.Parent() {
		if names := c.Annotations["formats"]; names != "" {
			return strings.Split(names, ",")
		}
	}
	return formats
}

func (a *app) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&a.data, "data", defaultDataDir(), "data directory: store, bus, advisories")
	f.StringVar(&a.server, "server", "", "URL of a Triad server to use instead of the data directory")
	f.StringVar(&a.token, "token", "", "access token for --server")
	f.StringVar(&a.store, "store", "", "address of the store: postgres://USER@HOST/DATABASE; default the SQLite file in the data directory")
	f.StringVar(&a.tenant, "tenant", triad.DefaultTenant, "tenant that owns what is read and written")
	f.StringVar(&a.format, "format", "table", "output format: table or json; scan also sarif, cyclonedx, spdx, spdx-tag-value, openvex, gitlab, junit, markdown, csv; collect also report")
	f.StringVarP(&a.output, "output", "o", "", "write the result to a file instead of standard output")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := fromEnvironment(cmd.Flags()); err != nil {
			return err
		}
		if all := formatsAt(cmd); !slices.Contains(all, a.format) { // before the work, not after it
			return triad.Errorf(triad.CodeInvalid, "--format %s is none of %s", a.format, strings.Join(all, ", "))
		}
		return nil
	}
}

// fromEnvironment sets each flag that was not given from TRIAD_NAME where that is not empty.
func fromEnvironment(flags *pflag.FlagSet) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Name == "version" { // TRIAD_VERSION is often somebody's own
			return
		}
		name := "TRIAD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value := os.Getenv(name); value != "" && !f.Changed && err == nil {
			if e := flags.Set(f.Name, value); e != nil {
				err = fmt.Errorf("%s: %w", name, e)
			}
		}
	})
	return err
}

func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "triad")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "triad")
	}
	return "triad-data"
}

// result writes a command's result: v as JSON, or what table prints. Other formats are the
// command's own and come through others by name.
func (a *app) result(v any, table func(io.Writer) error, others map[string]func(io.Writer) error) (err error) {
	write := others[a.format]
	switch {
	case write != nil:
	case a.format == "json":
		write = func(w io.Writer) error {
			var compact bytes.Buffer
			enc := json.NewEncoder(&compact)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(v); err != nil {
				return err
			}
			_, err := w.Write(indent(compact.Bytes()))
			return err
		}
	case a.format == "table" && table != nil:
		write = table
	default:
		return triad.Errorf(triad.CodeInvalid, "--format %s is not one of this command's formats", a.format)
	}
	if a.output == "" || a.output == "-" {
		return write(a.stdout)
	}
	f, err := os.Create(a.output)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	return write(f)
}

// say tells people something that is not the result; programs read standard output only.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}
