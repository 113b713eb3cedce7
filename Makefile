# heapray: `make` builds build/heapray and build/libheapray.so; `make demo` shows it; `make test` tests it.
# `make help` lists the rest.
#
# Each target sees to the Debian packages it needs: as root it installs what is missing, otherwise it prints
# the one line to run (.ci/deps). Where the libraries come from elsewhere: `make DEPS=no`.

PREFIX ?= /usr/local
VERSION := 0.1.0
B := build

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wno-unused-parameter
WARN_C := $(WARN) -Wstrict-prototypes -Wmissing-prototypes
BASE_CFLAGS := -std=gnu11 -g -O2 $(WARN_C) -Iinclude -DHEAPRAY_VERSION='"$(VERSION)"' -MMD -MP

# What runs inside somebody else's malloc: no libc surprises, no lazy binding, TLS that never allocates. Two counters side
# by side are not to be loaded as one vector: just stored one by one, they would be waited for.
SHIM_CFLAGS := $(BASE_CFLAGS) -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-tree-slp-vectorize \
	-fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free -fno-stack-protector -fno-optimize-sibling-calls -D_GNU_SOURCE -Ishim
SHIM_LDFLAGS := -shared -Wl,-soname,libheapray.so -Wl,-z,defs,-z,relro,-z,now,-z,nodelete,-z,initfirst \
	-Wl,--version-script=shim/shim.map
REPORT_CFLAGS := $(BASE_CFLAGS) -Ireport -D_GNU_SOURCE -fwrapv # hostile figures may sum to anything
REPORT_LIBS := -ldw -lelf -liberty -ljansson -lz -lncursesw -lmicrohttpd -lm

SHIM_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard shim/*.c))
REPORT_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard report/*.c))
PRODUCT := $(B)/libheapray.so $(B)/heapray

# `make` says what it does in a few words; `make V=1` shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

.PHONY: all help
all: $(PRODUCT)

help:
	@printf '%s\n' \
	'make               build/heapray and build/libheapray.so' \
	'make demo          a real nginx with Lua under the shim, and what heapray says of it (under a minute)' \
	'make test          all tests but the slow ones (under six minutes); ONLY=word runs those whose name has it' \
	'make test-long     all tests' \
	'make bench         what it costs, against other tools; BENCH=word, RUNS=n' \
	'make check-layers  who may include whom, exports, imports' \
	'make lint          cppcheck, clang-tidy, clang-format, shellcheck, mandoc, as far as they are there' \
	'make sanitize      address, undefined-behaviour and thread sanitizers, valgrind; PART=word, ONLY=word' \
	'make coverage      what unit and quick integration tests reach, by file; ONLY=word' \
	'make torture       what a preloaded malloc dies of, with 10,000 forks' \
	'make install       into PREFIX (/usr/local), below DESTDIR' \
	'make deb           a Debian package, in build/' \
	'make fuzz          hostile bytes through every reader, FUZZ_SECONDS=60 each (clang)' \
	'make deps          the Debian packages for all of these, as root' \
	'make clean'

# ---- packages ------------------------------------------------------------------------------------------

BUILD_PACKAGES := libc6-dev libunwind-dev uthash-dev libdw-dev libelf-dev libiberty-dev libjansson-dev zlib1g-dev \
	libncurses-dev libmicrohttpd-dev
NGINX_PACKAGES := nginx libnginx-mod-http-lua libluajit2-5.1-dev wrk curl ca-certificates procps jq
ALLOCATOR_PACKAGES := libjemalloc2 libtcmalloc-minimal4 libmimalloc2.0
TEST_PACKAGES := $(NGINX_PACKAGES) $(ALLOCATOR_PACKAGES) check g++ heaptrack redis-server redis-tools memcached sqlite3 \
	lua5.4 python3-minimal musl-tools binutils util-linux tmux chromium python3
LONG_TEST_PACKAGES := golang-go prometheus cmake make googletest debootstrap
LINT_PACKAGES := cppcheck clang-tidy clang-format shellcheck mandoc
BENCH_PACKAGES := libgoogle-perftools4 python3

deps-build: WANTED := $(BUILD_PACKAGES)
deps-demo: WANTED := $(BUILD_PACKAGES) $(NGINX_PACKAGES)
deps-test: WANTED := $(BUILD_PACKAGES) $(TEST_PACKAGES)
deps-long: WANTED := $(LONG_TEST_PACKAGES)
deps-sanitize: WANTED := valgrind
deps-bench deps: WANTED := $(BUILD_PACKAGES) $(TEST_PACKAGES) $(LONG_TEST_PACKAGES) $(BENCH_PACKAGES) $(LINT_PACKAGES) valgrind

.PHONY: deps deps-build deps-demo deps-test deps-long deps-sanitize deps-bench
deps deps-build deps-demo deps-test deps-long deps-sanitize deps-bench:
	$(if $(filter no,$(DEPS)),,@.ci/deps $(WANTED))

# ---- the two products ----------------------------------------------------------------------------------

$(B)/libheapray.so: $(SHIM_OBJ) shim/shim.map
	$(call say,LINK,$@)
	$(Q)$(CC) $(SHIM_LDFLAGS) -o $@ $(SHIM_OBJ)

$(B)/heapray: $(REPORT_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) -o $@ $(REPORT_OBJ) $(REPORT_LIBS)

$(B)/shim/%.o: shim/%.c | deps-build
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(SHIM_CFLAGS) -c -o $@ $<

$(B)/report/%.o: report/%.c | deps-build
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(REPORT_CFLAGS) -c -o $@ $<

# It takes these in.
$(B)/report/page_assets.o: $(wildcard report/page/*)

.PHONY: install clean
install: $(PRODUCT)
	install -D -m 755 $(B)/heapray $(DESTDIR)$(PREFIX)/bin/heapray
	install -D -m 755 $(B)/libheapray.so $(DESTDIR)$(PREFIX)/lib/heapray/libheapray.so
	install -D -m 644 report/heapray.1 $(DESTDIR)$(PREFIX)/share/man/man1/heapray.1
	$(if $(wildcard include/heapray.h),install -D -m 644 include/heapray.h $(DESTDIR)$(PREFIX)/include/heapray.h)
	install -D -m 644 report/heapray.bash-completion $(DESTDIR)$(PREFIX)/share/bash-completion/completions/heapray

# A Debian package of what `make install` installs, below /usr; it needs the libraries the two are linked with.
.PHONY: deb
deb: $(PRODUCT)
	rm -rf $(B)/deb
	$(MAKE) --no-print-directory install DESTDIR=$(B)/deb PREFIX=/usr
	strip --strip-unneeded $(B)/deb/usr/bin/heapray
	gzip -9n $(B)/deb/usr/share/man/man1/heapray.1
	install -D -m 644 LICENSE $(B)/deb/usr/share/doc/heapray/copyright
	mkdir -p $(B)/deb/DEBIAN $(B)/deb-work/debian
	printf 'Source: heapray\n\nPackage: heapray\nArchitecture: any\n' >$(B)/deb-work/debian/control
	cd $(B)/deb-work && printf '%s\n' 'Package: heapray' 'Version: $(VERSION)' 'Section: devel' 'Priority: optional' \
		"Architecture: $$(dpkg --print-architecture)" 'Maintainer: heapray <heapray@localhost>' \
		"Depends: $$(dpkg-shlibdeps -O ../deb/usr/bin/heapray ../deb/usr/lib/heapray/libheapray.so | sed 's/^shlibs:Depends=//')" \
		"Installed-Size: $$(du -ks ../deb/usr | cut -f1)" \
		'Description: X-ray of the memory of a running program' \
		' A preloaded library tags every allocation with who made it; the reporter shows' \
		' where the memory is and how it grows, while the program runs.' >../deb/DEBIAN/control
	dpkg-deb --root-owner-group --build $(B)/deb $(B)/heapray_$(VERSION)_$$(dpkg --print-architecture).deb

clean:
	rm -rf $(B)

# ---- tests ---------------------------------------------------------------------------------------------
#
# tests/unit/test_X.c        Check, linked with the reporter but its main
# tests/unit/test_shim_X.c   Check, linked with the shim but its hooks
# tests/programs/            one behaviour each; the scripts of tests/integration run them

UNIT_SHIM := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_shim_*.c))
UNIT_REPORT := $(filter-out $(UNIT_SHIM),$(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c)))
LIBRARIES := $(patsubst %.c,$(B)/%.so,$(wildcard tests/programs/lib*.c))
PROGRAMS := $(patsubst %.c,$(B)/%,$(filter-out tests/programs/lib%,$(wildcard tests/programs/*.c))) \
	$(patsubst %.cc,$(B)/%,$(wildcard tests/programs/*.cc))
BENCH_PROGRAMS := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))

CHECK_LIBS := -lcheck -lsubunit -lpthread -lrt -lm
# Their stacks are what is tested: nothing inlined, merged or tail-called away.
PROGRAM_CFLAGS = -g -O1 $(WARN) -fno-inline -fno-ipa-icf -fno-ipa-cp -fno-optimize-sibling-calls -fno-builtin -Itests/programs -MMD -MP -MF $@.d
PROGRAM_LIBS := -lpthread -ldl

# What `make test` builds besides the products.
TEST_LINKED := $(UNIT_REPORT) $(UNIT_SHIM) $(PROGRAMS) $(LIBRARIES)

$(UNIT_REPORT): $(B)/tests/unit/%: tests/unit/%.c $(filter-out %/main.o,$(REPORT_OBJ)) | deps-test
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(REPORT_CFLAGS) -Itests/unit -Wno-missing-prototypes -MF $@.d -o $@ $(filter %.c %.o,$^) $(CHECK_LIBS) $(REPORT_LIBS)

$(UNIT_SHIM): $(B)/tests/unit/%: tests/unit/%.c $(filter-out $(B)/shim/hooks%.o,$(SHIM_OBJ)) | deps-test
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(BASE_CFLAGS) -Ishim -Itests/unit -D_GNU_SOURCE -Wno-missing-prototypes -MF $@.d -o $@ $(filter %.c %.o,$^) $(CHECK_LIBS) -ldl

$(B)/tests/programs/%: tests/programs/%.c | deps-test
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(PROGRAM_CFLAGS) -o $@ $< $(PROGRAM_LIBS)

$(B)/tests/programs/lib%.so: tests/programs/lib%.c | deps-test
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(PROGRAM_CFLAGS) -fPIC -shared -o $@ $< $(PROGRAM_LIBS)

$(B)/tests/programs/%: tests/programs/%.cc | deps-test
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) -std=gnu++17 -D_GNU_SOURCE $(PROGRAM_CFLAGS) -o $@ $< $(PROGRAM_LIBS)

$(B)/tests/programs/newonly: PROGRAM_CFLAGS += -Wno-sized-deallocation
$(B)/tests/programs/lua_run $(B)/tests/programs/lua_threads: PROGRAM_LIBS += -lluajit-5.1
$(B)/tests/programs/lua_inside $(B)/tests/programs/inside_pages: PROGRAM_LIBS := -Wl,-E -l:libluajit-5.1.a -lm -ldl

# 10,000 functions, not worth optimising.
$(B)/tests/bench/sites: $(B)/tests/sites.h
$(B)/tests/bench/sites: BENCH_CFLAGS := -O0
$(B)/tests/sites.h: tests/bench/sites.sh
	@mkdir -p $(@D)
	$(Q)(sh $< inner leaf 5000; sh $< outer call_inner 5000) >$@

$(B)/tests/bench/%: tests/bench/%.c | deps-bench
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -g -O2 $(WARN) $(BENCH_CFLAGS) -fno-builtin -fno-inline -fno-optimize-sibling-calls -I$(B)/tests -MMD -MP -MF $@.d -o $@ $< $(PROGRAM_LIBS)

.PHONY: test test-long demo bench programs
programs: $(PROGRAMS) $(LIBRARIES)

test: deps-test $(PRODUCT) $(TEST_LINKED)
	@tests/run.sh $(ONLY)

test-long: deps-test deps-long $(PRODUCT) $(TEST_LINKED)
	@tests/run.sh --long $(ONLY)

demo: deps-demo $(PRODUCT)
	@examples/nginx/demo.sh

bench: deps-bench $(PRODUCT) $(BENCH_PROGRAMS)
	@tests/bench/bench.py $(if $(RUNS),--runs $(RUNS)) $(BENCH)

.PHONY: fuzz
fuzz: deps-build
	@tests/fuzz/run.sh $(or $(FUZZ_SECONDS),60)

.PHONY: sanitize coverage torture
sanitize: deps-test deps-sanitize
	@ONLY=$(ONLY) tests/sanitize.sh $(PART)

coverage: deps-test
	@tests/coverage.sh $(ONLY)

# The script says `not ok` for what went wrong; `ok` goes to the log alone.
torture: deps-test $(PRODUCT) $(TEST_LINKED)
	@TORTURE_FORKS=10000 TORTURE_LIMIT=1800 bash tests/integration/long/torture.sh 2>&1 | tee $(B)/torture.log | grep -v '^ok ' || :
	@printf '%s ok, %s not ok\n' $$(grep -c '^ok ' $(B)/torture.log) $$(grep -c '^not ok ' $(B)/torture.log)
	@grep -q '^ok ' $(B)/torture.log && ! grep -q '^not ok ' $(B)/torture.log

# ---- rules of the house --------------------------------------------------------------------------------

.PHONY: check-layers lint
check-layers: $(B)/libheapray.so
	@tests/check-layers.sh $(B)

lint:
	@tests/lint.sh

-include $(SHIM_OBJ:.o=.d) $(REPORT_OBJ:.o=.d) $(addsuffix .d,$(TEST_LINKED) $(BENCH_PROGRAMS))
