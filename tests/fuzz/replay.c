/*
 * replay.c: runs a fuzz target on files: the seeds in `make check`, or a crash to look at.
 *
 *     replay_pgoutput [file or folder ...]      without any: the target's seeds
 *
 * Each file is given whole, and then cut and with single bytes changed at a few hundred places, which a seed cannot
 * have been made for. Prints TAP. FUZZ_TARGET, the target's name, is defined by the makefile.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)
#define PLACES 200

static unsigned count;

static uint8_t *read_file(const char *path, size_t *ret_size)
{
	uint8_t *data = malloc(FILE_MAX_BYTES);
	FILE *file = fopen(path, "rb");

	if (data == NULL || file == NULL) {
		(void)printf("Bail out! cannot read %s\n", path);
		exit(1);
	}
	*ret_size = fread(data, 1, FILE_MAX_BYTES, file);
	(void)fclose(file);
	return data;
}

static void replay_file(const char *path)
{
	size_t size;
	uint8_t *data = read_file(path, &size);
	size_t step = size / PLACES + 1;

	(void)LLVMFuzzerTestOneInput(data, size);
	for (size_t at = 0; at < size; at += step) {
		uint8_t whole = data[at];

		(void)LLVMFuzzerTestOneInput(data, at);
		data[at] = (uint8_t)(whole ^ (1U << at % 8));
		(void)LLVMFuzzerTestOneInput(data, size);
		data[at] = 0xff;
		(void)LLVMFuzzerTestOneInput(data, size);
		data[at] = whole;
	}
	free(data);
	(void)printf("ok %u - %s\n", ++count, strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path);
}

static void replay(const char *path)
{
	struct dirent **names = NULL;
	struct stat status;
	char file[4096];
	int n;

	if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
		replay_file(path);
		return;
	}
	n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		(void)snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			replay_file(file);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	const char *top = getenv("TOP_SRCDIR");
	char seeds[4096];

	(void)snprintf(seeds, sizeof seeds, "%s/tests/fuzz/seeds/" FUZZ_TARGET, top != NULL ? top : ".");
	if (argc < 2)
		replay(seeds);
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (count == 0) {
		(void)printf("Bail out! no files\n");
		return 1;
	}
	(void)printf("1..%u\n", count);
	return 0;
}
