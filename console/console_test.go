package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEveryPathWithoutAFileGetsAPage(t *testing.T) {
	for _, path := range []string{"/", "/anything?risk=1", "/a/b.c"} {
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), "Triad") {
			t.Errorf("%s: %d %.80s", path, w.Code, w.Body)
		}
	}
}
