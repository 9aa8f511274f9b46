// Package console is the web console: a React page built by Vite into dist/app and embedded
// in the binary. Without a build it serves a page that says how to make one.
package console

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var files embed.FS

// Handler serves the console. Paths that name no file get the page itself, which does its
// own routing.
func Handler() http.Handler {
	app, err := fs.Sub(files, "dist/app")
	if err != nil {
		panic(err) // the path is valid
	}
	if _, err := fs.Stat(app, "index.html"); err != nil {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, "dist/unbuilt.html")
		})
	}
	server := http.FileServerFS(app)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if strings.HasPrefix(name, "assets/") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable") // names carry a hash
			server.ServeHTTP(w, r)
			return
		}
		if info, err := fs.Stat(app, name); err != nil || info.IsDir() {
			name = "index.html"
		}
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, app, name)
	})
}

// Built reports whether the console is in this binary.
func Built() bool {
	_, err := fs.Stat(files, "dist/app/index.html")
	return err == nil
}
