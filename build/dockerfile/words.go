package dockerfile

import "strings"

// Word is a word of an instruction's arguments.
type Word struct {
	Raw  string // as written, with quotes
	Text string // without quotes and escapes; variables stay
	At   int    // of Raw in Args
	// Literal: no variable is put in, because there is none or it is quoted.
	Literal bool
}

// splitWords splits at blanks outside quotes.
func splitWords(text string, escape byte) []Word {
	var words []Word
	var out strings.Builder
	start, quote, literal := -1, byte(0), true
	flush := func(end int) {
		if start >= 0 {
			words = append(words, Word{Raw: text[start:end], Text: out.String(), At: start, Literal: literal})
		}
		start, literal = -1, true
		out.Reset()
	}
	for n := 0; n < len(text); n++ {
		c := text[n]
		if quote == 0 && (c == ' ' || c == '\t') {
			flush(n)
			continue
		}
		if start < 0 {
			start = n
		}
		switch {
		case quote == '\'' && c != '\'':
			out.WriteByte(c)
		case c == escape && n+1 < len(text):
			if n++; quote == '"' && text[n] != '"' && text[n] != '$' && text[n] != escape {
				out.WriteByte(c)
			}
			out.WriteByte(text[n])
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		default:
			if c == '$' {
				literal = false
			}
			out.WriteByte(c)
		}
	}
	flush(len(text))
	return words
}

// Words are the words of the arguments; those of the JSON form where that is used.
func (i *Instruction) Words() []Word {
	if !i.IsExec {
		return splitWords(i.Args, '\\')
	}
	words := make([]Word, len(i.Exec))
	at := 0
	for n, text := range i.Exec {
		words[n] = Word{Raw: text, Text: text, At: at, Literal: !strings.Contains(text, "$")}
		if found := strings.Index(i.Args[at:], text); found >= 0 {
			words[n].At = at + found
			at += found + len(text)
		}
	}
	return words
}

// Pair is a name with its value, of ENV, ARG or LABEL.
type Pair struct {
	Name, Value string
	HasValue    bool
	Raw         string // the value as written, with quotes
	At          int    // of the name in Args
}

// Pairs reads the arguments of ENV, ARG and LABEL. The old form, ENV name value to the end,
// is one pair.
func (i *Instruction) Pairs() []Pair {
	words := i.Words()
	if len(words) == 0 {
		return nil
	}
	if i.Name != "ARG" && !strings.Contains(words[0].Raw, "=") {
		p := Pair{Name: words[0].Text, At: words[0].At}
		p.Raw = strings.TrimSpace(i.Args[words[0].At+len(words[0].Raw):])
		p.Value, p.HasValue = p.Raw, len(words) > 1
		return []Pair{p}
	}
	pairs := make([]Pair, 0, len(words))
	for _, w := range words {
		p := Pair{At: w.At}
		p.Name, p.Value, p.HasValue = strings.Cut(w.Text, "=")
		_, p.Raw, _ = strings.Cut(w.Raw, "=")
		pairs = append(pairs, p)
	}
	return pairs
}
