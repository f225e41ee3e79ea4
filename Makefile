# Delivery of deferred large CPM messages. `make help` lists the targets.

VERSION = 0.1.0

PREFIX ?= /usr/local
DESTDIR ?=
BINDIR = $(PREFIX)/bin
MODULEDIR = $(PREFIX)/lib/cpm-delivery
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/cpm-delivery
UNITDIR = $(PREFIX)/lib/systemd/system
CC ?= cc
BUILD ?= build

WARN = -Wall -Wextra -Werror -Wshadow -Wvla -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wconversion -Wno-sign-conversion
HARDEN = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS ?= -O2 -g
ALL_CPPFLAGS = -D_GNU_SOURCE -DCPM_VERSION='"$(VERSION)"' -Ilib -I. $(CPPFLAGS)
ALL_CFLAGS = -std=c17 -fPIC -fvisibility=hidden $(WARN) $(HARDEN) $(CFLAGS)
LINK = -Wl,-z,relro -Wl,-z,now -Wl,--as-needed $(LDFLAGS)
ALL_LDFLAGS = -pie $(LINK)
SHARED_LDFLAGS = -shared $(LINK) -Wl,--exclude-libs,ALL

ROOMS = base trace journal ladder cpim sdp msrp sip stage queue status http confine
# Rooms that are loaded only when a run needs them (lib/base/module.h).
MODULES = openssl cares
# Programs that cpm-deliver need not execute, but can load into a child (lib/base/spawn.h): shared
# objects with what makes a program. No linker makes a program of the usual kind that may be loaded.
LOADABLE = cpm-invite cpm-msrp-serve cpm-bye
LOADER = $(shell $(CC) -\#\#\# -x c /dev/null 2>&1 | sed -n 's/.*-dynamic-linker[" ]*\([^" ]*\).*/\1/p')
LOADABLE_LDFLAGS = $(SHARED_LDFLAGS) -Wl,-e,_start -Wl,--wrap=stdout \
	$(shell $(CC) -print-file-name=Scrt1.o)
PROGRAMS = $(patsubst bin/%.c,%,$(wildcard bin/cpm-*.c))
UNITS = $(patsubst test/unit/%.c,%,$(wildcard test/unit/*.c))
PEERS = $(patsubst test/peers/%.c,%,$(wildcard test/peers/*.c))
FUZZERS = $(patsubst test/fuzz/%.c,%,$(filter-out test/fuzz/main.c,$(wildcard test/fuzz/*.c)))
PAGES = $(wildcard man/*.[1-8])
UNIT_FILES = $(notdir $(wildcard scripts/systemd/*))
DOC_FILES = scripts/cron/crontab scripts/prometheus/alerts.yml scripts/grafana/dashboard.json

# What a room needs from outside. The small libraries become part of the programs where the system has
# them as archives: a delivery starts four processes, and loading costs each of them time. With
# SMALL_LIBS=dynamic they are loaded.
SMALL_LIBS ?= static
has_archive = $(filter /%,$(shell $(CC) -print-file-name=lib$(1).a))
small = $(if $(and $(filter static,$(SMALL_LIBS)),$(has_archive)),-l:lib$(1).a,-l$(1))
LIBS_base := $(call small,inih)
LIBS_sdp := $(call small,osipparser2)
LIBS_sip := $(call small,osip2) $(LIBS_sdp)
LIBS_http = -lmicrohttpd
LIBS_confine = -lseccomp
LIBS_openssl = -lssl -lcrypto
LIBS_cares = -lcares

# V=1 shows the commands, -s nothing.
Q = $(if $(V),,@)
say = @$(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),:,echo '  $(1)')

comma = ,
room_objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard lib/$(1)/*.c))
# The rooms that a program or room may use, from lib/ARROWS, in link order.
allowed = $(shell sed -n 's$(comma)^$(1):$(comma)$(comma)p' lib/ARROWS)
libs = $(foreach r,$(1),$(LIBS_$(r)))
archives = $(foreach r,$(1),$(BUILD)/lib$(r).a)

.PHONY: all
all: $(PROGRAMS:%=$(BUILD)/bin/%) $(MODULES:%=$(BUILD)/lib/cpm-delivery/%.so)

define ROOM
$(BUILD)/lib$(1).a: $(call room_objects,$(1))
	@rm -f $$@
	$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM,$(r))))

# A module has its own copy of what it uses of base.
define MODULE
$(BUILD)/lib/cpm-delivery/$(1).so: $(call room_objects,$(1)) $(BUILD)/libbase.a
	@mkdir -p $$(@D)
	$$(call say,link $$@)
	$(Q)$$(CC) $$(SHARED_LDFLAGS) $$(CFLAGS) -o $$@ $$^ $(LIBS_$(1))
endef
$(foreach m,$(MODULES),$(eval $(call MODULE,$(m))))

# $(1) name, $(2) its own objects, $(3) rooms
define PROGRAM
$(1): $(2) $(call archives,$(3))
	@mkdir -p $$(@D)
	$$(call say,link $$@)
	$(Q)$$(CC) $$(ALL_LDFLAGS) $$(CFLAGS) -o $$@ $$^ $(call libs,$(3)) $$(LIBS_OF_ITS_OWN)
endef

# A program is bin/cpm-NAME.c and, where it is large, the files in bin/NAME/.
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM,$(BUILD)/bin/$(p),\
	$(patsubst %.c,$(BUILD)/obj/%.o,bin/$(p).c $(wildcard bin/$(p:cpm-%=%)/*.c)),\
	$(call allowed,bin/$(p)))))

$(LOADABLE:%=$(BUILD)/bin/%): private ALL_LDFLAGS = $(LOADABLE_LDFLAGS)
$(LOADABLE:%=$(BUILD)/bin/%): $(BUILD)/obj/bin/loadable.o
$(BUILD)/obj/bin/loadable.o: private ALL_CPPFLAGS += \
	-DCPM_LOADER='"$(or $(LOADER),$(error $(CC) does not tell its dynamic loader))"'

# A unit test is test/unit/ROOM_TOPIC.c; it may use what its room may use.
unit_room = $(firstword $(subst _, ,$(1)))
$(foreach u,$(UNITS),$(eval $(call PROGRAM,$(BUILD)/test/unit/$(u),$(BUILD)/test/unit/$(u).o,\
	$(call unit_room,$(u)) $(call allowed,$(call unit_room,$(u))))))

BENCHES = bench bench_tls
$(BUILD)/test/bench/bench_tls: private LIBS_OF_ITS_OWN = -lssl -lcrypto
$(foreach b,$(BENCHES),$(eval $(call PROGRAM,$(BUILD)/test/bench/$(b),\
	$(patsubst %,$(BUILD)/test/bench/%.o,$(b) receiver socket),)))

# A peer for the tests shares no code with the programs.
$(foreach p,$(PEERS),$(eval $(call PROGRAM,$(BUILD)/test/peers/$(p),$(BUILD)/test/peers/$(p).o,)))

# A harness is test/fuzz/ROOM_TOPIC.c, with a main that takes files; scripts/fuzz leaves that to the
# fuzzers.
FUZZ_MAIN ?= $(BUILD)/test/fuzz/main.o
$(foreach f,$(FUZZERS),$(eval $(call PROGRAM,$(BUILD)/test/fuzz/$(f),\
	$(BUILD)/test/fuzz/$(f).o $(FUZZ_MAIN),\
	$(call unit_room,$(f)) $(call allowed,$(call unit_room,$(f))))))

# Objects are made anew when the compiler or its flags change.
FLAGS_NOW = $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LIBS_base) $(LIBS_sip)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' >$@

define COMPILE
@mkdir -p $(@D)
$(call say,cc $<)
$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
endef

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(COMPILE)

# So that build/bin holds programs alone.
$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(COMPILE)

-include $(shell test -d $(BUILD) && find $(BUILD) -path $(BUILD)/asan -prune -o -path $(BUILD)/gcc -prune -o \
	-path $(BUILD)/clang -prune -o -path '$(BUILD)/fuzz-*' -prune -o -name '*.d' -print)

.PHONY: FORCE help demo check check-long units unit asan valgrind fuzzers fuzz lint format bench bench-queue bench-status soak install \
	uninstall clean
FORCE:

help:
	@echo 'make            builds the programs into build/bin'
	@echo 'make demo       delivers a photo over loopback and shows the call'
	@echo 'make check      everything that is tested in minutes'
	@echo 'make check-long the same, and what takes longer'
	@echo 'make asan       the tests again with address and undefined-behaviour sanitizers'
	@echo 'make valgrind   the unit tests and deliveries under valgrind'
	@echo 'make fuzz       the parsers under libFuzzer and AFL++, FUZZ_SECONDS (60) for each'
	@echo 'make lint       layout, rooms, words, lengths, manual pages, both compilers'
	@echo 'make format     lays the C files out'
	@echo 'make bench      what deliveries cost, beside bare sendfile, bare TLS and processes that do nothing'
	@echo 'make bench-queue what a queue of up to 100,000 entries costs'
	@echo 'make bench-status what a look at a busy queue of 100,000 entries costs'
	@echo 'make soak       a queue under kills and a full disk for SOAK_SECONDS (1800)'
	@echo 'make install    to PREFIX ($(PREFIX)), below DESTDIR; make uninstall takes it away'
	@echo 'make clean      removes build/'

demo:
	@scripts/bootstrap build
	@$(MAKE) --no-print-directory -s all
	@scripts/demo $(BUILD)/bin

check:
	@scripts/bootstrap check
	@scripts/check $(BUILD)

check-long:
	@scripts/bootstrap check
	@CPM_LONG=1 scripts/check $(BUILD)

units: $(UNITS:%=$(BUILD)/test/unit/%) $(PEERS:%=$(BUILD)/test/peers/%) \
	fuzzers \
	$(MODULES:%=$(BUILD)/lib/cpm-delivery/%.so) $(BUILD)/test/lib

# The unit tests find the modules where the programs find them.
$(BUILD)/test/lib:
	@mkdir -p $(@D)
	@ln -sfn ../lib $@

unit: units
	@scripts/run-units $(BUILD)/test/unit

# Without those that load libraries of their own into the programs, before the sanitizer's, and not
# confined: the leak check looks at the process from another one.
asan:
	@scripts/bootstrap check
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan CFLAGS='-O1 -g $(SANITIZE)' HARDEN= \
		all unit
	@CPM_CONFINE=no CPM_BIN=$(abspath $(BUILD)/asan/bin) scripts/run-bats \
		$(filter-out $(shell grep -lE 'LD_PRELOAD|build_fault|crash_run' test/*.bats),\
			$(wildcard test/*.bats))

valgrind: all units
	@scripts/valgrind $(BUILD)

fuzzers: $(FUZZERS:%=$(BUILD)/test/fuzz/%)

fuzz:
	@scripts/bootstrap fuzz
	@scripts/fuzz $(BUILD)

lint:
	@scripts/lint $(BUILD)

format:
	clang-format -i $(wildcard lib/*/*.[ch] bin/*.[ch] bin/*/*.[ch] test/*/*.[ch])

bench: all $(BENCHES:%=$(BUILD)/test/bench/%)
	@scripts/bench $(BUILD)

bench-queue: all
	@scripts/bench-queue $(BUILD)

bench-status: all
	@python3 test/bench/status.py --bin $(BUILD)/bin

SOAK_SECONDS ?= 1800
soak: all
	@python3 test/soak.py $(SOAK_SECONDS) --bin $(BUILD)/bin

install: all
	install -d '$(DESTDIR)$(BINDIR)'
	install -m 755 $(PROGRAMS:%=$(BUILD)/bin/%) scripts/cpm-retry '$(DESTDIR)$(BINDIR)'
	install -d '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(DOCDIR)'
	install -m 644 $(DOC_FILES) '$(DESTDIR)$(DOCDIR)'
	@for unit in $(UNIT_FILES); do \
		sed 's|@BINDIR@|$(BINDIR)|' scripts/systemd/$$unit >'$(DESTDIR)$(UNITDIR)'/$$unit || exit 1; \
	done
	install -d '$(DESTDIR)$(MODULEDIR)'
	install -m 644 $(MODULES:%=$(BUILD)/lib/cpm-delivery/%.so) '$(DESTDIR)$(MODULEDIR)'
	@for page in $(PAGES); do \
		folder='$(DESTDIR)$(MANDIR)/man'$${page##*.}; \
		install -d "$$folder" && install -m 644 "$$page" "$$folder" || exit 1; \
	done

uninstall:
	rm -f $(patsubst %,'$(DESTDIR)$(BINDIR)'/%,$(PROGRAMS) cpm-retry)
	rm -f $(patsubst %,'$(DESTDIR)$(UNITDIR)'/%,$(UNIT_FILES))
	rm -f $(patsubst %,'$(DESTDIR)$(DOCDIR)'/%,$(notdir $(DOC_FILES)))
	rm -f $(MODULES:%='$(DESTDIR)$(MODULEDIR)'/%.so)
	test ! -d '$(DESTDIR)$(MODULEDIR)' || rmdir '$(DESTDIR)$(MODULEDIR)'
	@for page in $(PAGES); do \
		rm -f '$(DESTDIR)$(MANDIR)/man'$${page##*.}/$${page##*/} || exit 1; \
	done

clean:
	rm -rf $(BUILD)
