package access

import "net/http"

// safeHeaders tell browsers what pages of ours need, and that the rest is none of
// ours: no script but from files of this server, no frame around them, no other
// type than the one that is said, nothing of an address told to other servers.
//
// Not no-referrer: forms would be sent with "Origin: null", which is what requests
// of strangers look like.
var safeHeaders = map[string]string{
	"Content-Security-Policy":      "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// SafeHeaders puts these headers on every answer of next. A handler that needs a
// stricter policy, or one of its own, sets it in their place.
func SafeHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range safeHeaders {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}
