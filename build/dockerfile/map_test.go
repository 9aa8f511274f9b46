package dockerfile

import (
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// histories reads one entry a line; "-" before it makes no layer.
func histories(text string) (all []v1.History, layers int) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		by, empty := strings.CutPrefix(line, "- ")
		all = append(all, v1.History{CreatedBy: strings.ReplaceAll(by, `\n`, "\n"), EmptyLayer: empty})
		if !empty {
			layers++
		}
	}
	return all, layers
}

func TestLayersAreLaidBesideTheLinesThatMadeThem(t *testing.T) {
	for _, test := range []struct {
		name, dockerfile, history, target string
		want                              string // of each layer, or the reason
		base                              int
	}{
		{
			name:       "BuildKit, with a comment and an empty line inside a RUN",
			dockerfile: "FROM debian:12\nENV A=1\nRUN apt-get update && \\\n    # why\n\n    apt-get install -y curl\nCOPY --chown=app:app app.py lib/ /app/\nCMD [\"python3\", \"/app/app.py\"]\n",
			history: `# debian.sh --arch 'amd64' out/ 'bookworm' '@1'
				- ENV A=1
				RUN /bin/sh -c apt-get update &&     apt-get install -y curl # buildkit
				COPY --chown=app:app app.py lib/ /app/ # buildkit
				- CMD ["python3" "/app/app.py"]`,
			want: "Dockerfile:1 Dockerfile:3-6 Dockerfile:7", base: 1,
		},
		{
			name:       "the classic builder",
			dockerfile: "FROM debian:12\nWORKDIR /srv\nADD rootfs.tar /\nCOPY a.py .\nRUN make  all\nENTRYPOINT /srv/run\n",
			history: `/bin/sh -c #(nop) ADD file:aa11 in /
				- /bin/sh -c #(nop)  CMD ["bash"]
				- /bin/sh -c #(nop) WORKDIR /srv
				/bin/sh -c #(nop) ADD file:bb22 in /
				/bin/sh -c #(nop) COPY file:cc33 in /srv
				/bin/sh -c make  all
				- /bin/sh -c #(nop)  ENTRYPOINT ["/bin/sh" "-c" "/srv/run"]`,
			want: "Dockerfile:1 Dockerfile:3 Dockerfile:4 Dockerfile:5", base: 1,
		},
		{
			name:       "arguments of the build, given and by default",
			dockerfile: "ARG TAG=12\nFROM debian:$TAG\nARG VERSION=1\nARG DIR\nRUN fetch $VERSION\nCOPY x $DIR/y-$VERSION\n",
			history: `base
				- ARG VERSION=2
				- ARG DIR=/opt
				RUN |2 VERSION=2 DIR=/opt dir /bin/sh -c fetch $VERSION # buildkit
				COPY x /opt/y-2 # buildkit`,
			want: "Dockerfile:2 Dockerfile:5 Dockerfile:6", base: 1,
		},
		{
			name:       "stages that continue one another, and files from another one",
			dockerfile: "FROM golang:1.26 AS build\nRUN go build -o /app\nFROM debian:12 AS common\nRUN apt-get update\nFROM common AS final\nCOPY --from=build /app /usr/bin/app\nWORKDIR data\n",
			history: `debian
				RUN /bin/sh -c apt-get update # buildkit
				COPY /app /usr/bin/app # buildkit
				WORKDIR /srv/data`,
			want: "Dockerfile:3 Dockerfile:4 Dockerfile:6 Dockerfile:7", base: 1,
		},
		{
			name:       "a stage by its name",
			dockerfile: "FROM debian:12 AS build\nRUN make\nFROM debian:12\nCOPY --from=build /a /a\n",
			history:    "debian\nRUN /bin/sh -c make # buildkit", target: "build",
			want: "Dockerfile:1 Dockerfile:2", base: 1,
		},
		{
			name:       "the stage that fits, where it is not the last",
			dockerfile: "FROM debian:12 AS build\nRUN make\nFROM debian:12\nCOPY --from=build /a /a\n",
			history:    "debian\nRUN /bin/sh -c make # buildkit",
			want:       "Dockerfile:1 Dockerfile:2", base: 1,
		},
		{
			name:       "here-documents",
			dockerfile: "FROM debian:12\nRUN <<EOF\nset -e\nmake\nEOF\nRUN cat <<X > /x\nhello\nX\nCOPY <<\"CONF\" /etc/conf\na\nCONF\n",
			history: `debian
				RUN /bin/sh -c set -e\nmake\n # buildkit
				RUN /bin/sh -c cat <<X > /x\nhello\nX # buildkit
				COPY <<CONF /etc/conf # buildkit`,
			want: "Dockerfile:1 Dockerfile:2-5 Dockerfile:6-8 Dockerfile:9-11", base: 1,
		},
		{
			name:       "another shell, and the list form",
			dockerfile: "FROM debian:12\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN a | b\nRUN [\"/bin/x\", \"y z\"]\n",
			history: `debian
				- SHELL [/bin/bash -o pipefail -c]
				RUN /bin/bash -o pipefail -c a | b # buildkit
				RUN /bin/x y z # buildkit`,
			want: "Dockerfile:1 Dockerfile:3 Dockerfile:4", base: 1,
		},
		{
			name:       "the same line in the base and in the file",
			dockerfile: "FROM shop/base\nRUN make\n",
			history:    "debian\nRUN /bin/sh -c make # buildkit\n- ENV A=1\nRUN /bin/sh -c make # buildkit",
			want:       "Dockerfile:1 Dockerfile:1 Dockerfile:2", base: 2,
		},
		{
			name:       "the same line twice, one of them added since the build",
			dockerfile: "FROM debian:12\nRUN make\nRUN make\n",
			history:    "debian\nRUN /bin/sh -c make # buildkit",
			want:       "Dockerfile:1 Dockerfile:2 or Dockerfile:3", base: 1,
		},
		{
			name:       "a base without layers",
			dockerfile: "FROM scratch\nCOPY app /app\nUSER 1000\n",
			history:    "COPY app /app # buildkit\n- USER 1000",
			want:       "Dockerfile:2", base: 0,
		},
		{
			name:       "Kaniko and a changed line",
			dockerfile: "FROM debian:12\nRUN make\nCOPY a b /c/\nRUN new\n",
			history:    "debian\nRUN make\nCOPY a b /c/",
			want:       "Dockerfile:1 Dockerfile:2 Dockerfile:3", base: 1,
		},
		{
			name:       "another Dockerfile's image",
			dockerfile: "FROM debian:12\nRUN make\n", history: "debian\nRUN /bin/sh -c other # buildkit",
			want: "no stage of Dockerfile fits", base: -1,
		},
		{
			name:       "layers squashed into one",
			dockerfile: "FROM debian:12\nRUN make\n", history: "debian\n- RUN /bin/sh -c make # buildkit\nmerge\nx",
			want: "the image's history has 3 layers and the image 9", base: -1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := parse(t, test.dockerfile)
			history, layers := histories(test.history)
			if strings.Contains(test.want, "the image 9") {
				layers = 9
			}
			m := f.Map(history, layers, test.target)
			var got []string
			for n := range layers {
				if l := m.Lines(f, n); l != "" {
					got = append(got, l)
				} else {
					got = append(got, "?")
				}
			}
			if all := strings.Join(got, " "); all != test.want && !strings.Contains(m.Reason, test.want) {
				t.Errorf("got  %s\nwant %s\n%s", all, test.want, m.Reason)
			}
			if m.BaseLayers != test.base {
				t.Errorf("%d layers of the base, want %d", m.BaseLayers, test.base)
			}
		})
	}
}

func TestAMappingIsBoundedByItsTable(t *testing.T) {
	var file, past strings.Builder
	file.WriteString("FROM debian:12\n")
	for n := range 3000 {
		fmt.Fprintf(&file, "RUN step %d\n", n)
		fmt.Fprintf(&past, "RUN /bin/sh -c step %d # buildkit\n", n)
	}
	history, layers := histories(past.String())
	m := parse(t, file.String()).Map(history, layers, "")
	if m.Stage != nil || m.Reason == "" {
		t.Errorf("%+v", m.Reason)
	}
}
