/* Building trees; for the SDK's readers. */
#ifndef EXOARMUR_VALUE_H
#define EXOARMUR_VALUE_H

#include "exoarmur.h"

/* Adds to an array or object, whose room the caller keeps in `capacity`. */
void exo_add_item(exo_value *array, size_t *capacity, exo_value item);
void exo_add_member(exo_value *object, size_t *capacity, exo_member member);
/* Whether the object lacks the key. `sorted` stays true while the keys come in order, as the host sends them: then one
 * comparison tells. */
bool exo_is_new_key(const exo_value *object, exo_text key, bool *sorted);

#endif
