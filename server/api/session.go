package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// sessionCookie carries the console's token: unreadable for scripts, never sent along from
// another site.
const sessionCookie = "triad_session"

// session lets the console swap the token of its address for a cookie, because an event
// stream in a browser cannot send headers.
func (s *Service) session(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/v1/session", func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" {
			if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
				http.Error(w, "another site may not open a session here", http.StatusForbidden)
				return
			}
		}
		var in struct {
			Token string `json:"token"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&in); err != nil {
			http.Error(w, "expected {\"token\": …}", http.StatusBadRequest)
			return
		}
		token, err := s.Auth.Authenticate(r.Context(), in.Token)
		if err != nil {
			http.Error(w, "the access token is unknown or has expired", http.StatusUnauthorized)
			return
		}
		http.SetCookie(w, &http.Cookie{
			Name: sessionCookie, Value: in.Token, Path: "/", HttpOnly: true, Secure: r.TLS != nil,
			SameSite: http.SameSiteStrictMode, MaxAge: int(time.Until(token.Expires).Seconds()),
		})
		w.WriteHeader(http.StatusNoContent)
	})
}
