// Package report writes what was found for those who read it: people, code hosts, pipelines
// and other tools. A Document is what every format is made of; each format is one file.
//
// Names in a document come from images and repositories and are hostile: each writer keeps
// them from steering a terminal, a browser, a spreadsheet or a parser.
package report
