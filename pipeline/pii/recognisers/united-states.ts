import { isOneDigit } from '../checksums.ts';
import type { Recogniser } from '../recogniser.ts';

/** Ranges that the Social Security Administration never gave out, and numbers that advertisements made famous. */
function isSsn(digits: string): boolean {
  const [area, group, serial] = [digits.slice(0, 3), digits.slice(3, 5), digits.slice(5)];
  if (area === '000' || area === '666' || group === '00' || serial === '0000' || isOneDigit(digits)) return false;
  return !['123456789', '987654321', '078051120', '219099999'].includes(digits);
}

export const ssn: Recogniser = {
  entity: 'US_SSN',
  context: 'ssn, ssns, ssid, social security, social, soc sec, taxpayer, itin',
  forms: [
    {
      shapes: ['999-99-9999'],
      evidence: 'unmistakable',
      accepts: (digits) => isSsn(digits) && digits.charAt(0) !== '9',
    },
    { shapes: ['999~99~9999', '999-999999', '99999-9999'], evidence: 'form', accepts: isSsn },
  ],
};
