# Delivery of deferred large CPM messages. `make help` lists the targets.

PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
BUILD ?= build

WARN = -Wall -Wextra -Werror -Wshadow -Wvla -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wconversion -Wno-sign-conversion
HARDEN = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE \
	-fcf-protection
CFLAGS ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -Ilib -I.
ALL_CFLAGS = -std=c17 $(WARN) $(HARDEN) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed $(LDFLAGS)

ROOMS = base journal cpim sdp msrp sip stage
PROGRAMS = $(patsubst bin/%.c,%,$(wildcard bin/cpm-*.c))

# What a room needs from outside.
LIBS_base = -linih
LIBS_sdp = -losipparser2
LIBS_sip = -losip2 -losipparser2

room_objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard lib/$(1)/*.c))
# The rooms that a program may use, from lib/ARROWS, in link order.
program_rooms = $(shell sed -n 's,^bin/$(1):,,p' lib/ARROWS)

.PHONY: all clean
all: $(PROGRAMS:%=$(BUILD)/bin/%)

define ROOM
$(BUILD)/lib$(1).a: $(call room_objects,$(1))
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM,$(r))))

define PROGRAM
$(BUILD)/bin/$(1): $(BUILD)/bin/$(1).o $(foreach r,$(call program_rooms,$(1)),$(BUILD)/lib$(r).a)
	$$(CC) $$(ALL_LDFLAGS) $$(CFLAGS) -o $$@ $$^ $(foreach r,$(call program_rooms,$(1)),$(LIBS_$(r)))
endef
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM,$(p))))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

clean:
	rm -rf $(BUILD)
