package code

// Message is one line that the worker says.
type Message struct {
	Issue *Found `json:"issue,omitempty"`
	// Unread names a package, and why it could not be looked at whole.
	Unread string `json:"unread,omitempty"`
	// Done ends a module that was looked at to its end.
	Done       bool `json:"done,omitempty"`
	Packages   int  `json:"packages,omitempty"`
	Suppressed int  `json:"suppressed,omitempty"`
}

// Found is one issue of gosec.
type Found struct {
	Rule       string `json:"rule"`
	What       string `json:"what"`
	Severity   string `json:"severity"`
	Confidence string `json:"confidence"`
	CWE        string `json:"cwe,omitempty"`
	File       string `json:"file"` // relative to the module
	Line       int    `json:"line"`
}
