# heapray: `make` builds build/heapray and build/libheapray.so; `make demo`, `make test`; `make help` lists the rest.
#
# On a bare Debian machine every target first runs `deps`: as root it installs what is missing, otherwise it
# prints the one line to run.

PREFIX ?= /usr/local
CC ?= gcc
VERSION := 0.1.0
B := build

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter
BASE_CFLAGS := -std=gnu11 -g -O2 $(WARN) -Iinclude -DHEAPRAY_VERSION='"$(VERSION)"' -MMD -MP

# What runs inside somebody else's malloc: no libc surprises, no lazy binding, TLS that never allocates.
SHIM_CFLAGS := $(BASE_CFLAGS) -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-builtin-malloc -fno-builtin-calloc \
	-fno-builtin-realloc -fno-builtin-free -fno-stack-protector -fno-optimize-sibling-calls -Ishim
SHIM_LDFLAGS := -shared -Wl,-soname,libheapray.so -Wl,-z,defs,-z,relro,-z,now,-z,nodelete,-z,initfirst \
	-Wl,--version-script=shim/shim.map
REPORT_CFLAGS := $(BASE_CFLAGS) -Ireport -D_GNU_SOURCE
REPORT_LIBS := -ldw -lelf -liberty -ljansson -lz -lncursesw -lmicrohttpd -lm

SHIM_SRC := $(wildcard shim/*.c)
REPORT_SRC := $(wildcard report/*.c)
SHIM_OBJ := $(SHIM_SRC:%.c=$(B)/%.o)
REPORT_OBJ := $(REPORT_SRC:%.c=$(B)/%.o)

# `make` says what it does in a few words; V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

.PHONY: all help
all: deps $(B)/libheapray.so $(B)/heapray

$(B)/libheapray.so: $(SHIM_OBJ) shim/shim.map
	$(call say,LINK,$@)
	$(Q)$(CC) $(SHIM_LDFLAGS) -o $@ $(SHIM_OBJ)

$(B)/heapray: $(REPORT_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) -o $@ $(REPORT_OBJ) $(REPORT_LIBS)

$(B)/shim/%.o: shim/%.c | $(DEPS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(SHIM_CFLAGS) -c -o $@ $<

$(B)/report/%.o: report/%.c | $(DEPS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(REPORT_CFLAGS) -c -o $@ $<

-include $(SHIM_OBJ:.o=.d) $(REPORT_OBJ:.o=.d)

