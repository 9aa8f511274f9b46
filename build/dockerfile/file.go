package dockerfile

import (
	"sort"
	"strings"
)

// File is a parsed Dockerfile.
type File struct {
	// Path is where it was read, as findings name it.
	Path string
	// Syntax is the frontend that a "# syntax=" directive names; empty is the builder's own.
	Syntax string
	// Instructions are all, in the order of the file.
	Instructions []*Instruction
	// Stages are the FROM instructions with what follows each.
	Stages []*Stage
	// Args are the ARG instructions before the first FROM: only FROM sees them.
	Args []*Instruction
	// Problems are the lines that no builder takes.
	Problems []Problem

	escape    byte
	text      string
	ignores   []ignore
	emptyLine int // the first inside a continued instruction; zero without one
}

// Text is the file as it was read.
func (f *File) Text() string { return f.text }

// Problem is a line that cannot be what was meant.
type Problem struct {
	Line   int
	Reason string
}

// Stage is one FROM and the instructions up to the next.
type Stage struct {
	Index int
	// Name that AS gives it, in lower case as builders compare it; empty without one.
	Name string
	// Image as written, and with the ARGs before the first FROM put in. Whole is false where
	// a variable has no value in the file.
	Image, Resolved string
	Whole           bool
	// Parent is the earlier stage that it continues; nil when it starts from an image.
	Parent       *Stage
	Platform     string
	From         *Instruction
	Instructions []*Instruction // after FROM
}

// Base is the image that the stage starts from, through the stages it continues.
func (s *Stage) Base() *Stage {
	for s.Parent != nil {
		s = s.Parent
	}
	return s
}

// Chain lists the instructions that build the stage's image, those of the stages it
// continues first.
func (s *Stage) Chain() []*Instruction {
	var stages []*Stage
	for at := s; at != nil; at = at.Parent {
		stages = append(stages, at)
	}
	var all []*Instruction
	for i := len(stages) - 1; i >= 0; i-- {
		all = append(all, stages[i].Instructions...)
	}
	return all
}

// Stage finds a stage by name or number, as --from and --target do; nil where there is none.
func (f *File) Stage(name string) *Stage {
	for _, s := range f.Stages {
		if s.is(name) {
			return s
		}
	}
	return nil
}

func (s *Stage) is(name string) bool {
	return s.Name != "" && strings.EqualFold(s.Name, name) || name == itoa(s.Index)
}

// Instruction is one instruction.
type Instruction struct {
	Name    string // in upper case: "RUN"
	Keyword string // as written
	Flags   []Flag // --name=value before the arguments
	// Args is all after the flags, continued lines joined as builders join them.
	Args string
	// Exec holds the arguments of the JSON form; IsExec tells an empty one from none.
	Exec     []string
	IsExec   bool
	Heredocs []Heredoc
	// Start and End are its first and last line, from 1, with its here-documents.
	Start, End int
	// OnBuild is the instruction that ONBUILD keeps for later.
	OnBuild *Instruction
	// Stage it belongs to; nil before the first FROM.
	Stage *Stage

	marks []mark
	// commands are kept once read.
	commands []Command
	read     bool
}

// Flag is an option of an instruction.
type Flag struct{ Name, Value string }

// Flag returns the value of an option, and whether it is given.
func (i *Instruction) Flag(name string) (string, bool) {
	for _, f := range i.Flags {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// Heredoc is a here-document: RUN <<EOF.
type Heredoc struct {
	Name string
	Body string
	// Expand: the builder (COPY, ADD) or shell (RUN) puts variables in: the name is not quoted.
	Expand bool
	// Strip: <<- takes tabs off the start of lines.
	Strip bool
	Line  int // of the body's first line
	byte  int // of the body's first byte
}

// mark says where a piece of Args stands in the file.
type mark struct{ at, line, byte int }

// Line is the line in the file of a byte of Args.
func (i *Instruction) Line(at int) int {
	if m := i.mark(at); m != nil {
		return m.line
	}
	return i.Start
}

// Byte is the place in the file of a byte of Args.
func (i *Instruction) Byte(at int) int {
	if m := i.mark(at); m != nil {
		return m.byte + at - m.at
	}
	return -1
}

func (i *Instruction) mark(at int) *mark {
	n := sort.Search(len(i.marks), func(n int) bool { return i.marks[n].at > at })
	if n == 0 {
		return nil
	}
	return &i.marks[n-1]
}

// LineEnd is the place in the file just behind a line, from 1, with its end.
func (f *File) LineEnd(line int) int {
	at := 0
	for range line {
		n := strings.IndexByte(f.text[at:], '\n')
		if n < 0 {
			return len(f.text)
		}
		at += n + 1
	}
	return at
}
