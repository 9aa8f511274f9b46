package main

import (
	"archive/zip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"triad": func() { os.Exit(run(os.Args[1:])) },
	})
}

// TestScripts runs testdata/script: each file is one use of the program, as a person types it.
// Beside triad, a script can call
//
//	zip ARCHIVE FILE…   makes a zip archive of files, by their base names
//	serve DIR           serves a folder over HTTP on loopback; its address is $SERVER
//	image save|layout PATH REFERENCE DIR…  makes an image with a layer of each folder, as
//	            docker save writes it or as an OCI layout
//	registry VAR  runs a registry on loopback, its address in VAR; push REFERENCE DIR… puts an
//	            image into one and sets DIGEST
//	schema NAME standard output of the last command is what docs/schema/NAME.json says
//	shortdir VAR        makes an empty folder with a short path, as sockets need
//	wait-for PATH       waits until a file is there
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("TRIAD_DATA", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"zip":      scriptZip,
			"serve":    scriptServe,
			"image":    scriptImage,
			"registry": scriptRegistry,
			"push":     scriptPush,
			"schema":   scriptSchema,
			"wait-for": scriptWaitFor,
			"shortdir": scriptShortDir,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func scriptZip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: zip ARCHIVE FILE…")
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.Create(path)
	ts.Check(err)
	z := zip.NewWriter(f)
	for _, name := range args[1:] {
		w, err := z.Create(filepath.Base(name))
		ts.Check(err)
		_, err = w.Write([]byte(ts.ReadFile(name)))
		ts.Check(err)
	}
	ts.Check(z.Close())
	ts.Check(f.Close())
}

func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve DIR")
	}
	s := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(s.Close)
	ts.Setenv("SERVER", s.URL)
}
