import type { Recogniser } from '../recogniser.ts';
import { email } from './email.ts';
import { ipAddress } from './ip-address.ts';
import { creditCard, iban } from './payment.ts';
import { phone } from './phone.ts';
import { ssn } from './united-states.ts';

/** Every recogniser there is. A new one is one entry here and one name in entities.ts. */
export const RECOGNISERS: readonly Recogniser[] = [email, creditCard, iban, ssn, phone, ipAddress];
